package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const thinContent = 2 * gib // what a thin disk of the lab's template has written

// usage returns the bytes that the disks of a machine take: a thin one what it has written, any other its whole size.
func usage(devices []types.BaseVirtualDevice) int64 {
	var sum int64
	for _, device := range devices {
		if disk, ok := device.(*types.VirtualDisk); ok {
			sum += diskUsage(disk)
		}
	}
	return sum
}

func diskUsage(disk *types.VirtualDisk) int64 {
	size := diskSize(disk)
	backing, flat := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	if flat && backing.ThinProvisioned != nil && *backing.ThinProvisioned {
		return min(size, thinContent)
	}
	return size
}

func diskSize(disk *types.VirtualDisk) int64 {
	if disk.CapacityInBytes != 0 {
		return disk.CapacityInBytes
	}
	return disk.CapacityInKB * 1024
}

// taken returns what the disks of all machines take of each datastore, and what they may take beyond that.
func (s *site) taken() (map[string]int64, map[string]int64) {
	used, promised := map[string]int64{}, map[string]int64{}
	for _, vm := range s.vms() {
		if vm.Config == nil {
			continue
		}
		for _, device := range vm.Config.Hardware.Device {
			disk, ok := device.(*types.VirtualDisk)
			if !ok {
				continue
			}
			if backing, ok := disk.Backing.(types.BaseVirtualDeviceFileBackingInfo); ok {
				var path object.DatastorePath
				path.FromString(backing.GetVirtualDeviceFileBackingInfo().FileName)
				used[path.Datastore] += diskUsage(disk)
				promised[path.Datastore] += diskSize(disk) - diskUsage(disk)
			}
		}
	}
	return used, promised
}

// countSpace shows what every datastore has left after all disks that lie on it; nobody may have the hands.
func (s *site) countSpace() {
	s.hands.Lock()
	defer s.hands.Unlock()
	used, promised := s.taken()
	bg := background(s.own)
	var podFree, podCapacity int64
	for _, item := range s.registry.All("Datastore") {
		datastore := item.(*simulator.Datastore)
		free := freeSpace - used[datastore.Name]
		if free < 0 || s.faults.full(datastore.Name) {
			free = 0
		}
		bg.AutoUpdate(datastore, func() {
			datastore.Summary.Capacity, datastore.Summary.FreeSpace = capacity, free
			datastore.Summary.Uncommitted = promised[datastore.Name]
			datastore.Info.GetDatastoreInfo().FreeSpace = free
		})
		if datastore.Parent != nil && datastore.Parent.Type == "StoragePod" {
			podFree, podCapacity = podFree+free, podCapacity+capacity
		}
	}
	for _, item := range s.registry.All("StoragePod") {
		pod := item.(*simulator.StoragePod)
		pod.Summary.Name, pod.Summary.FreeSpace, pod.Summary.Capacity = pod.Name, podFree, podCapacity
	}
}

// space refuses what does not fit on a datastore. What is shown of it may be late, and the simulator counts thin disks whole.
func (s *site) space(ref types.ManagedObjectReference, wanted int64) *failure {
	datastore, ok := s.registry.Get(ref).(*simulator.Datastore)
	if !ok {
		return of(&types.ManagedObjectNotFound{Obj: ref})
	}
	used, _ := s.taken()
	free := max(0, freeSpace-used[datastore.Name])
	if s.faults.full(datastore.Name) {
		free = 0
	}
	if wanted > free {
		return failed(&types.NoDiskSpace{Datastore: datastore.Name},
			"Insufficient disk space on datastore '%s': %d GiB needed, %d GiB free.", datastore.Name, wanted/gib, free/gib)
	}
	return nil
}

// checkDisk refuses a disk that shrinks, grows over a snapshot or the datastore's space, or has no room.
func (s *site) checkDisk(
	vm *simulator.VirtualMachine, spec *types.VirtualMachineConfigSpec, c *types.VirtualDeviceConfigSpec,
	disk *types.VirtualDisk, index int32,
) *failure {
	var path object.DatastorePath
	if backing, ok := disk.Backing.(types.BaseVirtualDeviceFileBackingInfo); ok {
		path.FromString(backing.GetVirtualDeviceFileBackingInfo().FileName)
	}
	if path.Datastore == "" && vm != nil {
		path.FromString(vm.Config.Files.VmPathName)
	}
	if path.Datastore == "" && spec.Files != nil {
		path.FromString(spec.Files.VmPathName)
	}
	datastore := s.byName("Datastore", path.Datastore)
	if datastore == nil {
		return failed(&types.InvalidDatastorePath{DatastorePath: path.String()}, "Invalid datastore path '%s'.", path.String())
	}
	invalid := types.InvalidDeviceOperation{InvalidDeviceSpec: types.InvalidDeviceSpec{DeviceIndex: index}}
	switch c.Operation {
	case types.VirtualDeviceConfigSpecOperationAdd:
		return s.space(datastore.Reference(), diskUsage(disk))
	case types.VirtualDeviceConfigSpecOperationEdit:
		old, ok := object.VirtualDeviceList(vm.Config.Hardware.Device).FindByKey(disk.Key).(*types.VirtualDisk)
		if !ok {
			return failed(&invalid.InvalidDeviceSpec, "Invalid configuration for device '%d'.", index)
		}
		growth := diskSize(disk) - diskSize(old)
		if growth < 0 {
			return failed(&invalid, "Invalid operation for device '%d': a disk cannot become smaller.", index)
		}
		if growth > 0 && vm.Snapshot != nil {
			return failed(&invalid, "Invalid operation for device '%d': a disk with snapshots cannot grow.", index)
		}
		return s.space(datastore.Reference(), diskUsage(disk)-diskUsage(old))
	}
	return nil
}

// storage places machines on the datastores of a cluster.
type storage struct {
	*simulator.StorageResourceManager
	site *site
}

// plan is what a recommendation would do.
type plan struct {
	spec      types.StoragePlacementSpec
	datastore types.ManagedObjectReference
}

var (
	plansMu sync.Mutex
	plans   = map[string]plan{}
)

// RecommendDatastores names the datastores of the cluster with room, the emptiest first.
func (st *storage) RecommendDatastores(_ *simulator.Context, req *types.RecommendDatastores) soap.HasFault {
	spec := req.StorageSpec
	ref := spec.PodSelectionSpec.StoragePod
	if ref == nil && len(spec.PodSelectionSpec.InitialVmConfig) > 0 {
		ref = &spec.PodSelectionSpec.InitialVmConfig[0].StoragePod
	}
	invalid := func(property string) soap.HasFault {
		return &methods.RecommendDatastoresBody{Fault_: of(&types.InvalidArgument{InvalidProperty: property}).refuse()}
	}
	if ref == nil {
		return invalid("storageSpec.podSelectionSpec.storagePod")
	}
	pod, ok := st.site.registry.Get(*ref).(*simulator.StoragePod)
	if !ok || !pod.PodStorageDrsEntry.StorageDrsConfig.PodConfig.Enabled {
		return invalid("storageSpec.podSelectionSpec.storagePod")
	}
	result := types.StoragePlacementResult{}
	plansMu.Lock()
	defer plansMu.Unlock()
	for _, child := range pod.ChildEntity {
		if st.site.space(child, thinContent) != nil {
			continue
		}
		key := fmt.Sprint(len(plans) + 1)
		plans[key] = plan{spec, child}
		result.Recommendations = append(result.Recommendations, types.ClusterRecommendation{
			Key: key, Type: "V1", Time: time.Now(), Rating: 1, Reason: "storagePlacement",
			ReasonText: "Satisfy storage initial placement requests", Target: &pod.Self,
			Action: []types.BaseClusterAction{&types.StoragePlacementAction{
				ClusterAction: types.ClusterAction{Type: "StoragePlacementV1"},
				RelocateSpec:  types.VirtualMachineRelocateSpec{Datastore: &child},
				Destination:   child,
			}},
		})
	}
	if len(result.Recommendations) == 0 {
		problem := failed(&types.NoDiskSpace{Datastore: pod.Name}, "Insufficient disk space on datastore '%s'.", pod.Name)
		return &methods.RecommendDatastoresBody{Fault_: problem.refuse()}
	}
	return &methods.RecommendDatastoresBody{Res: &types.RecommendDatastoresResponse{Returnval: result}}
}

func (st *storage) ApplyStorageDrsRecommendationTask(
	ctx *simulator.Context, req *types.ApplyStorageDrsRecommendation_Task,
) soap.HasFault {
	ref := st.site.start(ctx, st, "applyStorageDrsRecommendation", func(bg *simulator.Context) (types.AnyType, *failure) {
		if len(req.Key) == 0 {
			return nil, of(&types.InvalidArgument{InvalidProperty: "key"})
		}
		plansMu.Lock()
		chosen, known := plans[req.Key[0]]
		plansMu.Unlock()
		if !known {
			return nil, of(&types.InvalidArgument{InvalidProperty: "key"})
		}
		made, problem := st.carryOut(bg, chosen)
		if problem != nil {
			return nil, problem
		}
		return types.ApplyStorageRecommendationResult{Vm: made}, nil
	})
	return &methods.ApplyStorageDrsRecommendation_TaskBody{
		Res: &types.ApplyStorageDrsRecommendation_TaskResponse{Returnval: ref},
	}
}

func (st *storage) carryOut(bg *simulator.Context, chosen plan) (*types.ManagedObjectReference, *failure) {
	s, spec := st.site, chosen.spec
	switch types.StoragePlacementSpecPlacementType(spec.Type) {
	case types.StoragePlacementSpecPlacementTypeClone:
		source := s.vm(*spec.Vm)
		if source == nil || spec.CloneSpec == nil || spec.Folder == nil {
			return nil, of(&types.InvalidArgument{InvalidProperty: "storageSpec"})
		}
		req := &types.CloneVM_Task{This: *spec.Vm, Folder: *spec.Folder, Name: spec.CloneName, Spec: *spec.CloneSpec}
		req.Spec.Location.Datastore = &chosen.datastore
		made, problem := (&machine{source, s}).clone(bg, req)
		return reference(made), problem
	case types.StoragePlacementSpecPlacementTypeCreate:
		parent, ok := s.registry.Get(*spec.Folder).(*simulator.Folder)
		if !ok || spec.ConfigSpec == nil {
			return nil, of(&types.InvalidArgument{InvalidProperty: "storageSpec"})
		}
		config := *spec.ConfigSpec
		config.Files = &types.VirtualMachineFileInfo{VmPathName: "[" + s.nameOf(chosen.datastore) + "]"}
		req := &types.CreateVM_Task{This: parent.Self, Config: config, Pool: *spec.ResourcePool, Host: spec.Host}
		made, problem := s.alone(func() (types.AnyType, *failure) { return (&folder{parent, s}).createVM(bg, req) })
		s.countSpace()
		return reference(made), problem
	case types.StoragePlacementSpecPlacementTypeReconfigure:
		vm := s.vm(*spec.Vm)
		if vm == nil || spec.ConfigSpec == nil {
			return nil, of(&types.InvalidArgument{InvalidProperty: "storageSpec"})
		}
		return &vm.Self, (&machine{vm, s}).reconfigure(bg, spec.ConfigSpec)
	case types.StoragePlacementSpecPlacementTypeRelocate:
		vm := s.vm(*spec.Vm)
		if vm == nil {
			return nil, of(&types.InvalidArgument{InvalidProperty: "storageSpec"})
		}
		where := types.VirtualMachineRelocateSpec{Datastore: &chosen.datastore}
		return &vm.Self, (&machine{vm, s}).relocate(bg, &where)
	}
	return nil, of(&types.InvalidArgument{InvalidProperty: "storageSpec.type"})
}

func reference(made types.AnyType) *types.ManagedObjectReference {
	if ref, ok := made.(types.ManagedObjectReference); ok {
		return &ref
	}
	return nil
}
