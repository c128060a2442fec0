package main

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"github.com/spf13/pflag"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
)

// runPolicies enforces NetworkPolicies on the node that $NODE_NAME names: kube-router's firewall, without its
// router, which would bring a BGP server.
func runPolicies() error {
	client, err := connect()
	if err != nil {
		return err
	}
	for {
		node, err := client.CoreV1().Nodes().Get(context.Background(), os.Getenv("NODE_NAME"), meta.GetOptions{})
		if err == nil && len(node.Status.Addresses) > 0 {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}

	config := options.NewKubeRouterConfig()
	config.AddFlags(pflag.NewFlagSet("defaults", pflag.ContinueOnError))
	config.ClusterIPCIDRs = []string{"10.96.0.0/16"}
	// A full synchronisation repairs what anybody else did to the rules.
	config.IPTablesSyncPeriod = time.Minute

	stop := make(chan struct{})
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods().Informer()
	namespaces := factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	factory.Start(stop)
	factory.WaitForCacheSync(stop)

	iptables, sets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		return err
	}
	var setsLock sync.Mutex
	controller, err := netpol.NewNetworkPolicyController(
		client, config, pods, policies, namespaces, &setsLock, iptables, sets)
	if err != nil {
		return err
	}
	pods.AddEventHandler(controller.PodEventHandler)
	namespaces.AddEventHandler(controller.NamespaceEventHandler)
	policies.AddEventHandler(controller.NetworkPolicyEventHandler)

	heartbeats := make(chan *healthcheck.ControllerHeartbeat)
	go func() {
		for range heartbeats {
		}
	}()
	var running sync.WaitGroup
	running.Add(1)
	controller.Run(heartbeats, stop, &running)
	return nil
}
