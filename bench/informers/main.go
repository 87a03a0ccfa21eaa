// The peer of bench/controller.ts: client-go's informers over the kinds that the controller watches, in Protocol Buffers and without
// managedFields, as a careful controller in Go has them. It prints a line when all are synced, and then does nothing.
package main

import (
	"context"
	"fmt"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	if err != nil {
		panic(err)
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.QPS = -1
	withoutManagedFields := informers.WithTransform(func(object any) (any, error) {
		if it, ok := object.(metav1.Object); ok {
			it.SetManagedFields(nil)
		}
		return object, nil
	})
	factory := informers.NewSharedInformerFactoryWithOptions(kubernetes.NewForConfigOrDie(config), 0, withoutManagedFields)
	for _, it := range []cache.SharedIndexInformer{
		factory.Core().V1().Namespaces().Informer(), factory.Core().V1().Nodes().Informer(),
		factory.Core().V1().ServiceAccounts().Informer(), factory.Policy().V1().PodDisruptionBudgets().Informer(),
		factory.Apps().V1().Deployments().Informer(), factory.Apps().V1().DaemonSets().Informer(),
		factory.Apps().V1().StatefulSets().Informer(), factory.Apps().V1().ReplicaSets().Informer(),
		factory.Core().V1().ReplicationControllers().Informer(), factory.Batch().V1().CronJobs().Informer(),
		factory.Batch().V1().Jobs().Informer(), factory.Core().V1().Pods().Informer(),
	} {
		it.AddEventHandler(cache.ResourceEventHandlerFuncs{})
	}
	ctx := context.Background()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	fmt.Println("synced")
	select {}
}
