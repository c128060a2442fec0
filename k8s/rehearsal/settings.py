"""The command line."""

import argparse
import pathlib

from .steps import ALWAYS, STEPS
from .tree import K8S

EPILOG = """\
Exit codes: 0 every promise was kept, every bound held; 1 one was not; 2 the arguments are wrong, or the
cluster cannot be used. Needs kubectl, and the images where the cluster's nodes find them, the load tester's too.
The namespace votestream must not be there yet: the rehearsal makes it, and deletes it at the end.
"""


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="k8s/rehearse", formatter_class=argparse.RawDescriptionHelpFormatter, epilog=EPILOG,
        description="Rehearses a deployment's life on a real cluster, under a steady load, and compares by name.")
    overlays = sorted(path.name for path in (K8S / "overlays").iterdir())
    parser.add_argument("overlay", choices=overlays, metavar="OVERLAY", help=", ".join(overlays))
    names = [step.name for step in STEPS if step.name not in ALWAYS]
    parser.add_argument("--short", action="store_true", help="without what takes long: ten minutes at most")
    parser.add_argument("--steps", type=lambda text: text.split(","), metavar="STEP,…", default=[],
                        help=f"only these, and {', '.join(ALWAYS)}: {', '.join(names)}")
    parser.add_argument("--rate", type=float, default=50, metavar="N", help="voters a second (default: %(default)s)")
    parser.add_argument("--poll", default="cats-vs-dogs", metavar="SLUG", help="the poll to vote in (default: %(default)s)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="also write the table as JSON")
    parser.add_argument("--context", metavar="NAME", help="of kubectl's configuration (default: the current one)")
    parser.add_argument("--keep", action="store_true", help="leave the deployment as it is at the end")
    parser.add_argument("--replace", action="store_true",
                        help="delete a namespace votestream that is there, WITH ALL ITS VOTES, first")
    parser.add_argument("--component", type=pathlib.Path, action="append", default=[], metavar="FOLDER",
                        help="a kustomize component on top of the overlay, for what this cluster needs; may be repeated")
    parser.add_argument("--load-image", metavar="IMAGE",
                        help="of the load tester (default: beside the producer's, with its tag)")
    parser.add_argument("--new-tag", metavar="TAG", help="update to images of this tag (default: restart the same)")
    parser.add_argument("--cut", metavar="COMMAND", help="cuts a node off; the node's name is added")
    parser.add_argument("--heal", metavar="COMMAND", help="brings a node back; the node's name is added")
    parser.add_argument("--stop-dns", action="store_true",
                        help="with --cut, also stop the cluster's DNS for a minute; not on a cluster that others use")
    parser.add_argument("--dry-run", action="store_true", help="only ask the API server what it finds wrong")
    parser.add_argument("--dry-run-all", action="store_true",
                        help="ask it about all overlays, with the operators' kinds defined for as long as it takes")
    settings = parser.parse_args(arguments)
    unknown = [name for name in settings.steps if name not in names and name not in ALWAYS]
    if unknown:
        parser.error(f"there is no step {', '.join(unknown)}")
    if bool(settings.cut) != bool(settings.heal):
        parser.error("--cut and --heal go together")
    if not settings.rate > 0:
        parser.error("--rate is above 0")
    for folder in settings.component:
        if not (folder / "kustomization.yaml").is_file():
            parser.error(f"there is no {folder}/kustomization.yaml")
    settings.quiet_s = 15 if settings.short else 60
    return settings
