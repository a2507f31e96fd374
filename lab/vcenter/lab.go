package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

const labSeconds = 180

// lab is the lab's daemon, which has the real machines.
type lab struct {
	client *http.Client
}

func newLab(socket string) *lab {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &lab{&http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: labSeconds * time.Second}}
}

// real is a machine of the lab, as the daemon tells.
type real struct {
	ID        string            `json:"id"`
	State     string            `json:"state"`
	Tools     string            `json:"tools"`
	Guestinfo map[string]string `json:"guestinfo"`
	Guest     struct {
		Hostname string `json:"hostname"`
		IP       string `json:"ip"`
	} `json:"guest"`
}

func (l *lab) call(method, path string, body, result any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(method, "http://lab"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := l.client.Do(request)
	if err != nil {
		return fmt.Errorf("the lab does not answer: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 400 {
		var said struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(answer, &said)
		return fmt.Errorf("the lab: %s (%d)", said.Message, response.StatusCode)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer, result)
}

// define tells the lab what a machine is; it does not boot.
func (s *site) define(vm *simulator.VirtualMachine) error {
	if s.lab == nil {
		return nil
	}
	var body map[string]any
	s.own.WithLock(vm, func() { body = s.definition(vm) })
	return s.lab.call(http.MethodPost, "/vms/define", body, nil)
}

func (s *site) definition(vm *simulator.VirtualMachine) map[string]any {
	var disk int64
	var mac, network string
	for _, device := range vm.Config.Hardware.Device {
		switch d := device.(type) {
		case *types.VirtualDisk:
			disk += d.CapacityInKB >> 20
		case types.BaseVirtualEthernetCard:
			if mac == "" {
				mac, network = d.GetVirtualEthernetCard().MacAddress, s.networkName(d.GetVirtualEthernetCard())
			}
		}
	}
	info, other := map[string]string{}, map[string]string{}
	for key, value := range extra(vm) {
		if len(key) > len("guestinfo.") && key[:len("guestinfo.")] == "guestinfo." {
			info[key] = value
		} else {
			other[key] = value
		}
	}
	s.mu.Lock()
	origin := s.origins[vm.Config.Uuid]
	s.mu.Unlock()
	return map[string]any{
		"id": vm.Config.Uuid, "name": vm.Name, "uuid": vm.Config.Uuid, "disk_gib": disk,
		"cpus": vm.Config.Hardware.NumCPU, "memory_mib": vm.Config.Hardware.MemoryMB, "mac": mac, "network": network,
		"firmware": vm.Config.Firmware, "isos": drives(vm), "boot_order": bootOrder(vm), "template": origin, "guestinfo": info, "extra": other,
	}
}

func (s *site) networkName(card *types.VirtualEthernetCard) string {
	switch backing := card.Backing.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		return backing.DeviceName
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		key := backing.Port.PortgroupKey
		return s.nameOf(types.ManagedObjectReference{Type: "DistributedVirtualPortgroup", Value: key})
	}
	return ""
}

// press does to the lab's machine what the virtual power button does; a machine is defined before it is powered on.
func (s *site) press(vm *simulator.VirtualMachine, action string) *failure {
	if s.lab == nil {
		if action == "reset" || action == "reboot" {
			s.setGuest(background(s.own), vm, pretend(vm))
		}
		return nil
	}
	err := s.define(vm)
	if err == nil {
		body := map[string]string{"id": vm.Config.Uuid, "action": action}
		err = s.lab.call(http.MethodPost, "/vms/power", body, nil)
	}
	if err != nil {
		return failed(&types.GenericVmConfigFault{Reason: err.Error()}, "Failed to power %s %s: %v", action, vm.Name, err)
	}
	return nil
}

// discard removes the lab's machine; a machine that never was on is not known there.
func (s *site) discard(uuid string) *failure {
	if s.lab == nil {
		return nil
	}
	err := s.lab.call(http.MethodPost, "/vms/destroy", map[string]string{"id": uuid}, nil)
	if err != nil {
		return failed(&types.SystemError{Reason: err.Error()}, "A general system error occurred: %v", err)
	}
	return nil
}

// list reads the lab's machines.
func (l *lab) list(into *[]real) error {
	return l.call(http.MethodGet, "/vms", nil, into)
}
