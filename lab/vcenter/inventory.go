package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	gib             = int64(1) << 30
	freeSpace       = 500 * gib
	capacity        = 1024 * gib
	hostMemory      = 512 * gib
	hostCores       = 32
	coreMHz         = 2400
	hardwareVersion = "vmx-19"
	smallPoolMiB    = 4096
)

// builder makes the inventory through the API, as an administrator would.
type builder struct {
	site    *site
	ctx     *simulator.Context
	client  *vim25.Client
	folders *object.DatacenterFolders
	hosts   []*object.HostSystem
	cluster *object.ClusterComputeResource
	dvs     *object.DistributedVirtualSwitch
}

// makeInventory makes what every start of the lab's vCenter has.
func (s *site) makeInventory() error {
	client, err := vim25.NewClient(s.own, s.model.Service)
	if err != nil {
		return err
	}
	b := &builder{site: s, ctx: s.own, client: client}
	steps := []func() error{
		b.datacenter, b.compute, b.networks, b.datastores, b.pool, b.strength, b.configOptions, b.attributes, b.machines,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("inventory: %w", err)
		}
	}
	s.countSpace()
	s.base = s.paths()
	return nil
}

func (b *builder) datacenter() error {
	root := object.NewRootFolder(b.client)
	dc, err := root.CreateDatacenter(b.ctx, "LAB")
	if err != nil {
		return err
	}
	b.folders, err = dc.Folders(b.ctx)
	return err
}

func (b *builder) compute() error {
	on := true
	spec := types.ClusterConfigSpecEx{
		DasConfig: &types.ClusterDasConfigInfo{Enabled: &on},
		DrsConfig: &types.ClusterDrsConfigInfo{Enabled: &on, DefaultVmBehavior: types.DrsBehaviorFullyAutomated},
	}
	cluster, err := b.folders.HostFolder.CreateCluster(b.ctx, "edge", types.ClusterConfigSpecEx{})
	if err != nil {
		return err
	}
	b.cluster = cluster
	task, err := cluster.Reconfigure(b.ctx, &spec, true)
	if err != nil {
		return err
	}
	if err := task.Wait(b.ctx); err != nil {
		return err
	}
	for _, name := range []string{"esx-1", "esx-2"} {
		task, err := cluster.AddHost(b.ctx, types.HostConnectSpec{HostName: name}, true, nil, nil)
		if err := b.addHost(task, err); err != nil {
			return err
		}
	}
	alone := types.HostConnectSpec{HostName: "esx-9"}
	return b.addHost(b.folders.HostFolder.AddStandaloneHost(b.ctx, alone, true, nil, nil))
}

func (b *builder) addHost(task *object.Task, err error) error {
	if err != nil {
		return err
	}
	info, err := task.WaitForResult(b.ctx)
	if err != nil {
		return err
	}
	ref := info.Result.(types.ManagedObjectReference)
	if ref.Type != "HostSystem" {
		return fmt.Errorf("%s is no host", ref)
	}
	b.hosts = append(b.hosts, object.NewHostSystem(b.client, ref))
	return nil
}

func (b *builder) networks() error {
	system, err := b.hosts[0].ConfigManager().NetworkSystem(b.ctx)
	if err != nil {
		return err
	}
	group := types.HostPortGroupSpec{Name: "vlan-hosts", VlanId: 200, VswitchName: "vSwitch0"}
	if err := system.AddPortGroup(b.ctx, group); err != nil {
		return err
	}
	config := &types.VMwareDVSConfigSpec{}
	config.Name = "dvs"
	task, err := b.folders.NetworkFolder.CreateDVS(b.ctx, types.DVSCreateSpec{ConfigSpec: config})
	if err != nil {
		return err
	}
	info, err := task.WaitForResult(b.ctx)
	if err != nil {
		return err
	}
	b.dvs = object.NewDistributedVirtualSwitch(b.client, info.Result.(types.ManagedObjectReference))
	members := &types.DVSConfigSpec{}
	for _, host := range b.hosts {
		members.Host = append(members.Host, types.DistributedVirtualSwitchHostMemberConfigSpec{
			Operation: string(types.ConfigSpecOperationAdd), Host: host.Reference(),
		})
	}
	if task, err = b.dvs.Reconfigure(b.ctx, members); err != nil {
		return err
	}
	if err := task.Wait(b.ctx); err != nil {
		return err
	}
	port := types.DVPortgroupConfigSpec{
		Name: "dvs-hosts", Type: string(types.DistributedVirtualPortgroupPortgroupTypeEarlyBinding), NumPorts: 128,
	}
	if task, err = b.dvs.AddPortgroup(b.ctx, []types.DVPortgroupConfigSpec{port}); err != nil {
		return err
	}
	return task.Wait(b.ctx)
}

func (b *builder) datastores() error {
	for _, name := range []string{"ssd-1", "ssd-2", "ssd-3"} {
		dir := filepath.Join(b.site.options.datastores, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		for _, host := range b.hosts {
			system, err := host.ConfigManager().DatastoreSystem(b.ctx)
			if err != nil {
				return err
			}
			if _, err := system.CreateLocalDatastore(b.ctx, name, dir); err != nil {
				return err
			}
		}
	}
	pod, err := b.folders.DatastoreFolder.CreateStoragePod(b.ctx, "pod-1")
	if err != nil {
		return err
	}
	last := b.site.byName("Datastore", "ssd-3")
	task, err := pod.MoveInto(b.ctx, []types.ManagedObjectReference{last.Reference()})
	if err != nil {
		return err
	}
	if err := task.Wait(b.ctx); err != nil {
		return err
	}
	// The simulator moves it into a copy of the pod, and the datacenter forgets it.
	ref := pod.Reference()
	last.Entity().Parent = &ref
	return nil
}

func (b *builder) pool() error {
	root, err := b.cluster.ResourcePool(b.ctx)
	if err != nil {
		return err
	}
	spec := types.DefaultResourceConfigSpec()
	limit := int64(smallPoolMiB)
	spec.MemoryAllocation.Limit = &limit
	_, err = root.Create(b.ctx, "small", spec)
	return err
}

// strength gives hosts and clusters the size of real ones, and to all of them every network.
func (b *builder) strength() error {
	s := b.site
	var networks []types.ManagedObjectReference
	for _, kind := range []string{"Network", "DistributedVirtualPortgroup"} {
		for _, network := range s.registry.All(kind) {
			networks = append(networks, network.Reference())
		}
	}
	for _, item := range s.registry.All("HostSystem") {
		host := item.(*simulator.HostSystem)
		host.Hardware.MemorySize = hostMemory
		host.Summary.Hardware.MemorySize = hostMemory
		host.Hardware.CpuInfo.NumCpuCores, host.Hardware.CpuInfo.NumCpuThreads = hostCores, 2*hostCores
		host.Summary.Hardware.NumCpuCores, host.Summary.Hardware.NumCpuThreads = hostCores, 2*hostCores
		host.Network = networks
	}
	for _, item := range s.registry.All("ClusterComputeResource") {
		found := item.(*simulator.ClusterComputeResource)
		found.Network = networks
		// The provider looks a cluster up as a ComputeResource; vCenter does not mind, the simulator's keys do.
		alias := found.ComputeResource
		alias.Self = types.ManagedObjectReference{Type: "ComputeResource", Value: found.Self.Value}
		s.registry.Put(&alias)
	}
	for _, item := range s.registry.All("ComputeResource") {
		if found, ok := item.(*mo.ComputeResource); ok {
			found.Network = networks
		}
	}
	s.sizePools()
	return nil
}

// sizePools gives the root pools what their hosts have; the pool `small` keeps its own limit.
func (s *site) sizePools() {
	for _, item := range s.registry.All("ResourcePool") {
		pool, ok := item.(*simulator.ResourcePool)
		if !ok {
			continue
		}
		hosts := int64(1)
		if owner, ok := s.registry.Get(pool.Owner).(*simulator.ClusterComputeResource); ok {
			hosts = int64(len(owner.Host))
		}
		memory, cpu := hosts*hostMemory, hosts*hostCores*coreMHz
		if pool.Parent.Type != "ResourcePool" {
			limit, cycles := memory>>20, cpu
			pool.Config.MemoryAllocation.Limit, pool.Config.CpuAllocation.Limit = &limit, &cycles
		} else if limit := pool.Config.MemoryAllocation.Limit; limit != nil {
			memory = *limit << 20
		}
		usage := types.ResourcePoolResourceUsage{MaxUsage: memory, UnreservedForPool: memory, UnreservedForVm: memory}
		pool.Runtime.Memory = usage
		pool.Runtime.Cpu = types.ResourcePoolResourceUsage{MaxUsage: cpu, UnreservedForPool: cpu, UnreservedForVm: cpu}
	}
}

func (b *builder) configOptions() error {
	shares := types.ResourceAllocationOption{SharesOption: types.SharesOption{DefaultLevel: types.SharesLevelNormal}}
	for _, item := range b.site.registry.AllReference("EnvironmentBrowser") {
		browser := item.(*simulator.EnvironmentBrowser)
		browser.QueryConfigOptionResponse.Returnval = &types.VirtualMachineConfigOption{
			Version:       hardwareVersion,
			Description:   "ESXi 7.0 U2 virtual machine",
			DefaultDevice: esx.VirtualDevice,
			HardwareOptions: types.VirtualHardwareOption{
				HwVersion: 19, ResourceConfigOption: types.ResourceConfigOption{
					CpuAllocationOption: shares, MemoryAllocationOption: shares,
				},
				MemoryMB: types.LongOption{Min: 4, Max: 1 << 20}, NumCPU: []int32{1, 2, 4, 8, 16, 32},
			},
		}
		for i := range browser.QueryConfigOptionDescriptorResponse.Returnval {
			one := &browser.QueryConfigOptionDescriptorResponse.Returnval[i]
			one.DefaultConfigOption = one.Key == hardwareVersion
		}
	}
	return nil
}

func (b *builder) attributes() error {
	fields, err := object.GetCustomFieldsManager(b.client)
	if err != nil {
		return err
	}
	_, err = fields.Add(b.ctx, "owner", "VirtualMachine", nil, nil)
	return err
}

// byName returns the first object of a kind with a name.
func (s *site) byName(kind, name string) mo.Entity {
	for _, item := range s.registry.All(kind) {
		if entityName(item) == name {
			return item
		}
	}
	return nil
}
