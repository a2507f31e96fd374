package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// state is what a restarted vCenter must still know.
type state struct {
	Base      map[string]types.ManagedObjectReference `json:"base"`
	Folders   []json.RawMessage                       `json:"folders"`
	Machines  []json.RawMessage                       `json:"machines"`
	Snapshots []json.RawMessage                       `json:"snapshots"`
	Rules     json.RawMessage                         `json:"rules"`
	Fields    []types.CustomFieldDef                  `json:"fields"`
	Origins   map[string]string                       `json:"origins"`
	Tags      []entry                                 `json:"tags"`
	Tasks     int64                                   `json:"tasks"`
}

// ruleSet holds a cluster's rules of any kind.
type ruleSet struct {
	Rules []types.BaseClusterRuleInfo `json:"rules"`
}

func (s *site) stateFile() string { return filepath.Join(s.options.dir, "state.json") }

// paths returns every object that a start makes, by type and name.
func (s *site) paths() map[string]types.ManagedObjectReference {
	found := map[string]types.ManagedObjectReference{}
	for _, item := range s.registry.All("") {
		ref := item.Reference()
		found[ref.Type+"/"+entityName(item)+"/"+s.parentName(item)] = ref
	}
	return found
}

func (s *site) parentName(item mo.Entity) string {
	if item.Entity().Parent == nil {
		return ""
	}
	return s.nameOf(*item.Entity().Parent)
}

// save writes the state in one step. It is called after every task.
func (s *site) save() error {
	s.saving.Lock()
	defer s.saving.Unlock()
	now := state{Base: s.base, Tasks: s.tasks.Load(), Fields: s.registry.CustomFieldsManager().Field}
	for _, kind := range []string{"Folder", "VirtualMachine", "VirtualMachineSnapshot"} {
		items := s.registry.AllReference(kind)
		sort.Slice(items, func(i, j int) bool { return items[i].Reference().Value < items[j].Reference().Value })
		for _, item := range items {
			text, err := s.encode(item)
			if err != nil {
				return err
			}
			switch item.(type) {
			case *simulator.Folder:
				now.Folders = append(now.Folders, text)
			case *simulator.VirtualMachine:
				now.Machines = append(now.Machines, text)
			case *simulator.VirtualMachineSnapshot:
				now.Snapshots = append(now.Snapshots, text)
			}
		}
	}
	var err error
	if now.Rules, err = encoded(ruleSet{*s.rules()}); err != nil {
		return err
	}
	s.mu.Lock()
	now.Origins = map[string]string{}
	for uuid, name := range s.origins {
		now.Origins[uuid] = name
	}
	s.mu.Unlock()
	s.journal.mu.Lock()
	now.Tags = s.journal.Entries
	text, err := json.Marshal(now)
	s.journal.mu.Unlock()
	if err != nil {
		return err
	}
	partial := s.stateFile() + ".partial"
	if err := os.WriteFile(partial, text, 0o600); err != nil {
		return err
	}
	return os.Rename(partial, s.stateFile())
}

func (s *site) encode(item mo.Reference) (json.RawMessage, error) {
	bg := background(s.own)
	var text json.RawMessage
	var err error
	bg.WithLock(item, func() {
		switch x := item.(type) {
		case *simulator.Folder:
			text, err = encoded(x.Folder)
		case *simulator.VirtualMachine:
			text, err = encoded(x.VirtualMachine)
		case *simulator.VirtualMachineSnapshot:
			text, err = encoded(x.VirtualMachineSnapshot)
		}
	})
	return text, err
}

func encoded(value any) (json.RawMessage, error) {
	var text bytes.Buffer
	if err := types.NewJSONEncoder(&text).Encode(value); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// rules returns the rules of the cluster.
func (s *site) rules() *[]types.BaseClusterRuleInfo {
	found := s.byName("ClusterComputeResource", "edge").(*simulator.ClusterComputeResource)
	return &found.ConfigurationEx.(*types.ClusterConfigInfoEx).Rule
}

// restore brings back what an earlier run left.
func (s *site) restore() error {
	text, err := os.ReadFile(s.stateFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var was state
	if err := json.Unmarshal(text, &was); err != nil {
		return fmt.Errorf("%s: %w", s.stateFile(), err)
	}
	for name, ref := range was.Base {
		if now, known := s.base[name]; known && now != ref {
			return fmt.Errorf("%s: made by another version; take the lab down and up again", s.stateFile())
		}
	}
	s.tasks.Store(was.Tasks)
	s.registry.CustomFieldsManager().Field = was.Fields
	for uuid, name := range was.Origins {
		s.origins[uuid] = name
	}
	if err := s.restoreObjects(&was); err != nil {
		return err
	}
	var kept ruleSet
	if err := types.NewJSONDecoder(bytes.NewReader(was.Rules)).Decode(&kept); err != nil {
		return err
	}
	*s.rules() = kept.Rules
	s.journal.Entries = was.Tags
	if err := s.replay(was.Tags); err != nil {
		return err
	}
	s.countSpace()
	return s.registry.AlignCounter()
}

func (s *site) restoreObjects(was *state) error {
	s.clearMachines()
	for _, text := range was.Folders {
		one := &simulator.Folder{}
		if err := types.NewJSONDecoder(bytes.NewReader(text)).Decode(&one.Folder); err != nil {
			return err
		}
		if known, ok := s.registry.Get(one.Self).(*simulator.Folder); ok {
			known.ChildEntity = one.ChildEntity
		} else {
			s.registry.Put(one)
		}
	}
	for _, text := range was.Machines {
		one := &simulator.VirtualMachine{DataSets: map[string]*simulator.DataSet{}}
		if err := types.NewJSONDecoder(bytes.NewReader(text)).Decode(&one.VirtualMachine); err != nil {
			return err
		}
		s.registry.Put(one)
		s.attach(one)
	}
	for _, text := range was.Snapshots {
		one := &simulator.VirtualMachineSnapshot{}
		if err := types.NewJSONDecoder(bytes.NewReader(text)).Decode(&one.VirtualMachineSnapshot); err != nil {
			return err
		}
		s.registry.Put(one)
	}
	return nil
}

// clearMachines removes the machines that this start made; the state has them too.
func (s *site) clearMachines() {
	for _, vm := range s.vms() {
		s.registry.Remove(s.own, vm.Self)
	}
	for _, item := range s.registry.All("HostSystem") {
		item.(*simulator.HostSystem).Vm = nil
	}
	for _, item := range s.registry.All("Datastore") {
		item.(*simulator.Datastore).Vm = nil
	}
	for _, item := range s.registry.All("ResourcePool") {
		if pool, ok := item.(*simulator.ResourcePool); ok {
			pool.Vm = nil
		}
	}
}

func (s *site) attach(vm *simulator.VirtualMachine) {
	if host, ok := s.registry.Get(*vm.Runtime.Host).(*simulator.HostSystem); ok {
		host.Vm = append(host.Vm, vm.Self)
	}
	for _, ref := range vm.Datastore {
		if datastore, ok := s.registry.Get(ref).(*simulator.Datastore); ok {
			datastore.Vm = append(datastore.Vm, vm.Self)
		}
	}
	if vm.ResourcePool == nil {
		return
	}
	if pool, ok := s.registry.Get(*vm.ResourcePool).(*simulator.ResourcePool); ok {
		pool.Vm = append(pool.Vm, vm.Self)
	}
}
