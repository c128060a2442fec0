package main

import (
	"os"

	"github.com/coredns/caddy"
	_ "github.com/coredns/coredns/core/dnsserver"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
)

// runNames is CoreDNS, with the plugins that a cluster's names need. Its own main function would bring
// sixty others, and those the libraries of three clouds.
func runNames() error {
	const path = "/etc/coredns/Corefile"
	contents, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	caddy.Quiet = true
	caddy.TrapSignals()
	server, err := caddy.Start(caddy.CaddyfileInput{Filepath: path, Contents: contents, ServerTypeName: "dns"})
	if err != nil {
		return err
	}
	server.Wait()
	return nil
}
