package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strings"
	"sync/atomic"
	"time"

	discovery "k8s.io/api/discovery/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
)

// edge stands in for an Ingress controller: it serves the Ingresses of one class, over plain HTTP, and as
// ingress-nginx does it talks to the pods that are ready, and tries the next pod if one takes no connection.
type edge struct {
	class     string
	ingresses networkinglisters.IngressLister
	services  corelisters.ServiceLister
	slices    discoverylisters.EndpointSliceLister
	transport http.RoundTripper
	turn      atomic.Uint64
}

func runEdge() error {
	client, err := connect()
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	e := &edge{
		class:     os.Getenv("INGRESS_CLASS"),
		ingresses: factory.Networking().V1().Ingresses().Lister(),
		services:  factory.Core().V1().Services().Lister(),
		slices:    factory.Discovery().V1().EndpointSlices().Lister(),
		transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 320,
			IdleConnTimeout:     time.Minute,
		},
	}
	stop := make(chan struct{})
	factory.Start(stop)
	factory.WaitForCacheSync(stop)

	proxy := &httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetXForwarded()
			request.Out.Host = request.In.Host
			request.Out.URL.Scheme = "http"
			keepBody(request.Out)
		},
		Transport:     e,
		FlushInterval: -1,
		ErrorHandler: func(writer http.ResponseWriter, request *http.Request, err error) {
			fmt.Fprintf(os.Stderr, "edge: %s %s%s: %v\n", request.Method, request.Host, request.URL.Path, err)
			writer.WriteHeader(http.StatusBadGateway)
		},
	}
	return http.ListenAndServe(":80", proxy)
}

// RoundTrip sends the request to a pod that is ready. The next pod is tried if no connection was made, and,
// for requests that may be repeated, after any error.
func (e *edge) RoundTrip(request *http.Request) (*http.Response, error) {
	addresses, err := e.route(request)
	if err != nil {
		return nil, err
	}
	if len(addresses) == 0 {
		return answer(request, http.StatusServiceUnavailable), nil
	}
	first := e.turn.Add(1)
	for try := range addresses {
		request.URL.Host = addresses[(first+uint64(try))%uint64(len(addresses))]
		if request.GetBody != nil {
			request.Body, _ = request.GetBody()
		}
		var response *http.Response
		response, err = e.transport.RoundTrip(request)
		if err == nil {
			return response, nil
		}
		var failed *net.OpError
		notSent := errors.As(err, &failed) && failed.Op == "dial" && request.GetBody != nil
		repeatable := request.Method == http.MethodGet || request.Method == http.MethodHead
		if request.Context().Err() != nil || !notSent && !repeatable {
			break
		}
	}
	return nil, err
}

// keepBody reads a short body, a ballot for example, so that it can be sent once more.
func keepBody(request *http.Request) {
	if request.ContentLength <= 0 || request.ContentLength > 64<<10 {
		return
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		// The client is gone, and the transport says so when it reads.
		return
	}
	request.GetBody = func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(body)), nil
	}
	request.Body, _ = request.GetBody()
}

func answer(request *http.Request, status int) *http.Response {
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: request,
		Header: http.Header{}, Body: http.NoBody,
	}
}

// route returns the addresses of the ready pods behind the Ingress path that fits best.
func (e *edge) route(request *http.Request) ([]string, error) {
	host, _, err := net.SplitHostPort(request.Host)
	if err != nil {
		host = request.Host
	}
	ingresses, err := e.ingresses.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	var best *networking.HTTPIngressPath
	var namespace string
	for _, ingress := range ingresses {
		if ingress.Spec.IngressClassName == nil || *ingress.Spec.IngressClassName != e.class {
			continue
		}
		for _, rule := range ingress.Spec.Rules {
			if rule.Host != host || rule.HTTP == nil {
				continue
			}
			for i, path := range rule.HTTP.Paths {
				if fits(path, request.URL.Path) && (best == nil || len(path.Path) > len(best.Path)) {
					best, namespace = &rule.HTTP.Paths[i], ingress.Namespace
				}
			}
		}
	}
	if best == nil || best.Backend.Service == nil {
		return nil, fmt.Errorf("no Ingress of class %s for this host and path", e.class)
	}
	return e.addresses(namespace, best.Backend.Service)
}

func fits(path networking.HTTPIngressPath, asked string) bool {
	if path.PathType != nil && *path.PathType == networking.PathTypeExact {
		return asked == path.Path
	}
	prefix := strings.TrimSuffix(path.Path, "/")
	return asked == prefix || strings.HasPrefix(asked, prefix+"/")
}

func (e *edge) addresses(namespace string, backend *networking.IngressServiceBackend) ([]string, error) {
	service, err := e.services.Services(namespace).Get(backend.Name)
	if err != nil {
		return nil, err
	}
	portName, found := "", false
	for _, port := range service.Spec.Ports {
		if port.Name == backend.Port.Name && port.Name != "" || port.Port == backend.Port.Number {
			portName, found = port.Name, true
		}
	}
	if !found {
		return nil, fmt.Errorf("service %s/%s has no port %+v", namespace, backend.Name, backend.Port)
	}
	selector, err := meta.LabelSelectorAsSelector(&meta.LabelSelector{
		MatchLabels: map[string]string{discovery.LabelServiceName: backend.Name},
	})
	if err != nil {
		return nil, err
	}
	slices, err := e.slices.EndpointSlices(namespace).List(selector)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, slice := range slices {
		for _, port := range slice.Ports {
			if port.Name == nil || *port.Name != portName || port.Port == nil {
				continue
			}
			for _, endpoint := range slice.Endpoints {
				if endpoint.Conditions.Ready != nil && !*endpoint.Conditions.Ready {
					continue
				}
				addresses = append(addresses, net.JoinHostPort(endpoint.Addresses[0], fmt.Sprint(*port.Port)))
			}
		}
	}
	return addresses, nil
}
