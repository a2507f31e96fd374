package main

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// guest is what a guest's Tools tell.
type guest struct {
	tools bool
	host  string
	ip    string
}

var (
	hostLine    = regexp.MustCompile(`local-hostname["']?: *["']?([\w.-]+)`)
	addressLine = regexp.MustCompile(`(\d+\.\d+\.\d+\.\d+)/\d+`)
)

// pretend returns what the Tools of a machine would tell when there is no real one: what its own metadata says.
func pretend(vm *simulator.VirtualMachine) guest {
	found := guest{tools: hasTools(vm)}
	text := extra(vm)["guestinfo.metadata"]
	if plain, err := base64.StdEncoding.DecodeString(text); err == nil {
		text = string(plain)
	}
	if match := hostLine.FindStringSubmatch(text); match != nil {
		found.host = match[1]
	}
	if match := addressLine.FindStringSubmatch(text); match != nil {
		found.ip = match[1]
	}
	return found
}

// extra returns the extra configuration of a machine as plain text.
func extra(vm *simulator.VirtualMachine) map[string]string {
	found := map[string]string{}
	for _, option := range vm.Config.ExtraConfig {
		o := option.GetOptionValue()
		found[o.Key] = fmt.Sprint(o.Value)
	}
	return found
}

// setGuest shows what the Tools tell.
func (s *site) setGuest(bg *simulator.Context, vm *simulator.VirtualMachine, told guest) {
	bg.AutoUpdate(vm, func() {
		setTools(vm, hasTools(vm))
		vm.Guest.HostName, vm.Guest.IpAddress, vm.Guest.IpStack = "", "", nil
		if told.tools {
			vm.Guest.ToolsRunningStatus = string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
			vm.Guest.ToolsStatus = types.VirtualMachineToolsStatusToolsOk
			vm.Guest.GuestState = string(types.VirtualMachineGuestStateRunning)
			vm.Guest.HostName, vm.Guest.IpAddress = told.host, told.ip
		}
		setAddress(vm, told)
		copySummary(vm)
	})
	s.changes.wake()
}

func setAddress(vm *simulator.VirtualMachine, told guest) {
	for i := range vm.Guest.Net {
		vm.Guest.Net[i].IpAddress, vm.Guest.Net[i].IpConfig = nil, nil
	}
	address, err := netip.ParseAddr(told.ip)
	if !told.tools || err != nil || len(vm.Guest.Net) == 0 {
		return
	}
	card := &vm.Guest.Net[0]
	card.IpAddress = []string{address.String()}
	card.IpConfig = &types.NetIpConfigInfo{IpAddress: []types.NetIpConfigInfoIpAddress{{
		IpAddress: address.String(), PrefixLength: 24, State: string(types.NetIpConfigInfoIpAddressStatusPreferred),
	}}}
	first := strings.Join(strings.Split(address.String(), ".")[:3], ".") + ".1"
	vm.Guest.IpStack = []types.GuestStackInfo{{IpRouteConfig: &types.NetIpRouteConfigInfo{
		IpRoute: []types.NetIpRouteConfigInfoIpRoute{{
			Network: "0.0.0.0", Gateway: types.NetIpRouteConfigInfoGateway{IpAddress: first, Device: "0"},
		}},
	}}}
}
