package main

import (
	"log"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// followLab shows what happened inside of the guests: powered off, Tools started, guestinfo cleared.
func (s *site) followLab() {
	if s.lab == nil {
		return
	}
	go func() {
		var last string
		for {
			time.Sleep(s.options.poll)
			var known []real
			asked := time.Now()
			err := s.lab.list(&known)
			if err == nil {
				last = ""
				s.follow(known, asked)
				continue
			}
			if err.Error() != last {
				log.Print(err)
			}
			last = err.Error()
		}
	}()
}

func (s *site) follow(known []real, asked time.Time) {
	told := map[string]real{}
	for _, one := range known {
		told[one.ID] = one
	}
	changed := false
	for _, vm := range s.vms() {
		if one, found := told[vm.Config.Uuid]; found && s.idleSince(vm.Self, asked) {
			changed = s.followOne(vm, one) || changed
		}
	}
	if changed {
		if err := s.save(); err != nil {
			log.Printf("state: %v", err)
		}
	}
}

func (s *site) followOne(vm *simulator.VirtualMachine, told real) bool {
	bg := background(s.own)
	changed := false
	if told.State == string(off) && vm.Runtime.PowerState == on {
		_ = s.markOff(bg, vm)
		changed = true
	}
	if told.State == string(on) && vm.Runtime.PowerState == off {
		_, _ = s.alone(func() (types.AnyType, *failure) { return nil, s.markOn(bg, vm) })
		changed = true
	}
	if vm.Runtime.PowerState == on {
		now := guest{tools: hasTools(vm) && told.Tools == "running", host: told.Guest.Hostname, ip: told.Guest.IP}
		if now != shownGuest(vm) {
			s.setGuest(bg, vm, now)
			changed = true
		}
	}
	return s.followGuestinfo(bg, vm, told.Guestinfo) || changed
}

func shownGuest(vm *simulator.VirtualMachine) guest {
	running := string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
	if vm.Guest.ToolsRunningStatus != running {
		return guest{}
	}
	return guest{tools: true, host: vm.Guest.HostName, ip: vm.Guest.IpAddress}
}

// followGuestinfo shows what a guest wrote over its own guestinfo, such as user-data that cloud-init cleared.
func (s *site) followGuestinfo(bg *simulator.Context, vm *simulator.VirtualMachine, told map[string]string) bool {
	shown := extra(vm)
	changed := false
	for key, value := range told {
		if !strings.HasPrefix(key, "guestinfo.") {
			key = "guestinfo." + key
		}
		if old, known := shown[key]; known && old == value {
			continue
		}
		changed = true
		bg.AutoUpdate(vm, func() {
			for _, option := range vm.Config.ExtraConfig {
				if o := option.GetOptionValue(); o.Key == key {
					o.Value = value
					return
				}
			}
			vm.Config.ExtraConfig = append(vm.Config.ExtraConfig, &types.OptionValue{Key: key, Value: value})
		})
	}
	if changed {
		s.changes.wake()
	}
	return changed
}
