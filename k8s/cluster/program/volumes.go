package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	storage "k8s.io/component-helpers/storage/volume"
)

const (
	provisioner   = "votestream-volumes"
	volumesFolder = "/run/cluster/volumes"
)

// runVolumes makes a folder and a volume for each claim of a class of ours, as minikube's provisioner does, and
// deletes both when the claim is gone. All nodes see the folders, like those of a file server.
func runVolumes() error {
	client, err := connect()
	if err != nil {
		return err
	}
	for ; ; time.Sleep(time.Second) {
		if err := provide(client); err != nil {
			fmt.Fprintf(os.Stderr, "volumes: %v, trying again in 1 s\n", err)
		}
	}
}

func provide(client *kubernetes.Clientset) error {
	ctx := context.Background()
	classes, err := ourClasses(ctx, client)
	if err != nil {
		return err
	}
	claims, err := client.CoreV1().PersistentVolumeClaims("").List(ctx, meta.ListOptions{})
	if err != nil {
		return err
	}
	for _, claim := range claims.Items {
		if class := claim.Spec.StorageClassName; class == nil || !classes[*class] {
			continue
		}
		if claim.Status.Phase != core.ClaimPending || claim.Spec.VolumeName != "" {
			continue
		}
		if err := makeVolume(ctx, client, &claim); err != nil {
			return err
		}
	}
	volumes, err := client.CoreV1().PersistentVolumes().List(ctx, meta.ListOptions{})
	if err != nil {
		return err
	}
	for _, volume := range volumes.Items {
		ours := classes[volume.Spec.StorageClassName]
		if !ours || volume.Status.Phase != core.VolumeReleased || volume.DeletionTimestamp != nil {
			continue
		}
		if err := client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, meta.DeleteOptions{}); err != nil {
			return err
		}
		if err := os.RemoveAll(volume.Spec.HostPath.Path); err != nil {
			return err
		}
	}
	return nil
}

func ourClasses(ctx context.Context, client *kubernetes.Clientset) (map[string]bool, error) {
	list, err := client.StorageV1().StorageClasses().List(ctx, meta.ListOptions{})
	if err != nil {
		return nil, err
	}
	classes := map[string]bool{}
	for _, class := range list.Items {
		classes[class.Name] = class.Provisioner == provisioner
	}
	return classes, nil
}

func makeVolume(ctx context.Context, client *kubernetes.Clientset, claim *core.PersistentVolumeClaim) error {
	name := "volume-" + string(claim.UID)
	folder := filepath.Join(volumesFolder, name)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	// Kubernetes gives a folder of the node to no group, whatever fsGroup says, so anybody may write.
	if err := os.Chmod(folder, 0o777); err != nil {
		return err
	}
	volume := &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{
			Name:        name,
			Annotations: map[string]string{storage.AnnDynamicallyProvisioned: provisioner},
		},
		Spec: core.PersistentVolumeSpec{
			Capacity:                      claim.Spec.Resources.Requests,
			AccessModes:                   claim.Spec.AccessModes,
			StorageClassName:              *claim.Spec.StorageClassName,
			PersistentVolumeReclaimPolicy: core.PersistentVolumeReclaimDelete,
			PersistentVolumeSource: core.PersistentVolumeSource{
				HostPath: &core.HostPathVolumeSource{Path: folder},
			},
			ClaimRef: &core.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
		},
	}
	_, err := client.CoreV1().PersistentVolumes().Create(ctx, volume, meta.CreateOptions{})
	if errors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
