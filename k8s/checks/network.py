"""Checks that the network policies allow exactly the edges of edges.yaml, in both directions."""

import collections

import yaml

from .deployment import HERE, labels, selects, title

MATRIX = yaml.safe_load((HERE / "edges.yaml").read_text())
Edge = collections.namedtuple("Edge", "source target port")


def check(deployment):
    pods = {}
    for obj, template in deployment.workloads:
        pods.setdefault(labels(template)["app.kubernetes.io/name"], labels(template))
    problems = list(open_rules(deployment)) + list(defaults(deployment))
    outgoing, incoming, unknown = allowed(deployment, pods)
    problems += unknown
    expected = declared(deployment, pods)
    inside = set(pods)
    for edge in sorted(expected | outgoing | incoming):
        ends = []
        if edge.source in inside and edge not in outgoing:
            ends.append("its source may not send")
        if edge.target in inside and edge not in incoming:
            ends.append("its target may not receive")
        if edge in expected and ends:
            problems.append(f"{words(edge)} is declared, but {' and '.join(ends)}")
        if edge not in expected and not ends:
            problems.append(f"{words(edge)} is allowed, but not declared")
        if edge not in expected and ends:
            problems.append(f"{words(edge)} is not declared, and half allowed: {ends[0]}")
    return problems


def words(edge):
    return f"edge {edge.source} -> {edge.target} {edge.port}"


def port_words(port):
    last = f"-{port['endPort']}" if "endPort" in port else ""
    return f"{port.get('protocol', 'TCP')}/{port['port']}{last}"


def open_rules(deployment):
    """A rule without peers, or without ports, allows all of them."""
    for policy in deployment.of("NetworkPolicy"):
        for way, peers in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(way) or []:
                for part in (peers, "ports"):
                    if not rule.get(part):
                        yield f"{title(policy)}: an {way} rule without `{part}` is open to all"
                for peer in rule.get(peers) or []:
                    if not any(peer.values()) or "0.0.0.0/0" in str(peer) or "::/0" in str(peer):
                        yield f"{title(policy)}: an {way} rule is open to all: {peer}"


def defaults(deployment):
    closed = [
        p for p in deployment.of("NetworkPolicy")
        if not p["spec"]["podSelector"] and sorted(p["spec"]["policyTypes"]) == ["Egress", "Ingress"]
        and not p["spec"].get("ingress") and not p["spec"].get("egress")
    ]
    if not closed:
        yield "there is no policy that closes both ways for every pod"


def applies(entry, deployment):
    """Returns whether an edge exists in this deployment, by its `with`, `overlays` and `not`."""
    here = deployment.components | {deployment.name}
    if here & set(entry.get("not", [])):
        return False
    if "overlays" in entry:
        return deployment.name in entry["overlays"]
    return "with" not in entry or bool(here & set(entry["with"]))


def declared(deployment, pods):
    found = set()
    for entry in MATRIX["edges"]:
        if applies(entry, deployment):
            for source in pods if entry["from"] == "any" else [entry["from"]]:
                found |= {Edge(source, entry["to"], port) for port in entry["ports"]}
    return found


def outside_names(deployment):
    """Maps each peer of this deployment, in canonical form, to its names in edges.yaml."""
    found = collections.defaultdict(set)
    for name, entry in MATRIX["outside"].items():
        peers = entry.get("overlays", {}).get(deployment.name)
        if peers is None:
            addresses = entry.get("addresses")
            plain = {k: v for k, v in entry.items() if k != "overlays"}
            peers = [{"ipBlock": {"cidr": a}} for a in addresses] if addresses else [plain]
        for peer in peers:
            found[canonical(peer)].add(name)
    return found


def canonical(peer):
    return yaml.safe_dump(peer, sort_keys=True)


def allowed(deployment, pods):
    """Returns the edges that sources may open, the edges that targets may accept, and peers that edges.yaml does not have."""
    outgoing, incoming, unknown = set(), set(), []
    names = outside_names(deployment)
    wanted = {(e.source, e.target, e.port) for e in declared(deployment, pods)}
    for policy in deployment.of("NetworkPolicy"):
        spec = policy["spec"]
        selected = [n for n, l in pods.items() if selects(spec["podSelector"], l)]
        if not selected:
            unknown.append(f"{title(policy)}: it selects no pod")
        for way, key, edges in (("egress", "to", outgoing), ("ingress", "from", incoming)):
            for rule in spec.get(way) or []:
                ports = [port_words(p) for p in rule.get("ports", [])]
                for peer in rule.get(key) or []:
                    if set(peer) == {"podSelector"}:
                        peers = [n for n, l in pods.items() if selects(peer["podSelector"], l)]
                    else:
                        peers = sorted(names.get(canonical(peer), ()))
                    if not peers:
                        unknown.append(f"{title(policy)}: nobody is {peer}")
                    for one in selected:
                        for other in peers:
                            for port in ports:
                                ends = (one, other) if way == "egress" else (other, one)
                                # Two peers outside may share an address: take the declared one.
                                if len(peers) > 1 and "ipBlock" in peer and (*ends, port) not in wanted:
                                    continue
                                edges.add(Edge(*ends, port))
    return outgoing, incoming, unknown
