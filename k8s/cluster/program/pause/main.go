// What holds a pod's namespaces open: it waits until it is told to end. It is also the root of the pods whose
// program comes from the node, in a folder that is mounted.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
	<-told
}
