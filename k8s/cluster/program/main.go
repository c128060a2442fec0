// A whole Kubernetes in one program, which plays the part that it is called by: kube-apiserver, kubelet,
// coredns and so on are links to it. One program, because linking ten takes longer than compiling what
// they do not share.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	_ "time/tzdata" // time zones of CronJobs

	"go.etcd.io/etcd/server/v3/etcdmain"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
	metricsserver "sigs.k8s.io/metrics-server/cmd/metrics-server/app"
)

var parts = map[string]func() error{
	"etcd": func() error {
		etcdmain.Main(os.Args)
		return nil
	},
	"kube-apiserver": func() error {
		return cli.RunNoErrOutput(apiserver.NewAPIServerCommand())
	},
	"kube-controller-manager": func() error {
		return cli.RunNoErrOutput(controllers.NewControllerManagerCommand())
	},
	"kube-scheduler": func() error {
		return cli.RunNoErrOutput(scheduler.NewSchedulerCommand())
	},
	"kubelet": func() error {
		return cli.RunNoErrOutput(kubelet.NewKubeletCommand(context.Background()))
	},
	"kube-proxy": func() error {
		return cli.RunNoErrOutput(proxy.NewProxyCommand())
	},
	"kubectl": func() error {
		// kubectl explains its errors itself, and chooses the exit code.
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			util.CheckErr(err)
		}
		return nil
	},
	"metrics-server": func() error {
		return cli.RunNoErrOutput(metricsserver.NewMetricsServerCommand(genericapiserver.SetupSignalHandler()))
	},
	"coredns":  runNames,
	"policies": runPolicies,
	"volumes":  runVolumes,
	"edge":     runEdge,
}

func main() {
	name := filepath.Base(os.Args[0])
	run, known := parts[name]
	if !known {
		var names []string
		for part := range parts {
			names = append(names, part)
		}
		sort.Strings(names)
		fmt.Fprintf(os.Stderr, "call this program by one of these names: %s\n", strings.Join(names, " "))
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}
