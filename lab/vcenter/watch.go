package main

import (
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// watcher wakes those who wait for a change of the inventory.
type watcher struct {
	site *site
	self types.ManagedObjectReference
	mu   sync.Mutex
	news chan struct{}
}

func newWatcher(s *site) *watcher {
	self := types.ManagedObjectReference{Type: "Watcher", Value: "lab"}
	return &watcher{site: s, self: self, news: make(chan struct{})}
}

func (w *watcher) Reference() types.ManagedObjectReference { return w.self }

// next returns what is closed at the next change.
func (w *watcher) next() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.news
}

func (w *watcher) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.news)
	w.news = make(chan struct{})
}

// PutObject is called for every new object.
func (w *watcher) PutObject(_ *simulator.Context, item mo.Reference) {
	if vm, ok := item.(*simulator.VirtualMachine); ok && vm.Config != nil {
		complete(vm)
	}
	w.wake()
}

// UpdateObject is called for every changed property.
func (w *watcher) UpdateObject(*simulator.Context, mo.Reference, []types.PropertyChange) { w.wake() }

// RemoveObject is called for every object that goes; sessions must not keep their view of it.
func (w *watcher) RemoveObject(_ *simulator.Context, ref types.ManagedObjectReference) {
	w.site.web.forget(ref)
	w.wake()
}

// complete fills what the simulator leaves empty and a client needs: an empty word is none that an enumeration knows.
func complete(vm *simulator.VirtualMachine) {
	if vm.Config.SwapPlacement == "" {
		vm.Config.SwapPlacement = string(types.VirtualMachineConfigInfoSwapPlacementTypeInherit)
	}
	for _, runtime := range []*types.VirtualMachineRuntimeInfo{&vm.Runtime, &vm.Summary.Runtime} {
		runtime.FaultToleranceState = types.VirtualMachineFaultToleranceStateNotConfigured
		runtime.RecordReplayState = types.VirtualMachineRecordReplayStateInactive
	}
}
