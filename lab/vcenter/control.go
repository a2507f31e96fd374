package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
)

// serveControl opens the socket on which faults are switched.
//
//	GET  /status         machines, faults, users
//	POST /fault {...}    switch a fault on; see fault for the fields
//	POST /clear {name}   switch a fault off, without a name all of them
func (s *site) serveControl() error {
	if s.options.control == "" {
		return nil
	}
	_ = os.Remove(s.options.control)
	listener, err := net.Listen("unix", s.options.control)
	if err != nil {
		return err
	}
	if err := os.Chmod(s.options.control, 0o600); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", s.controlStatus)
	mux.HandleFunc("POST /fault", s.controlFault)
	mux.HandleFunc("POST /clear", s.controlClear)
	go func() { _ = http.Serve(listener, mux) }()
	return nil
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

func (s *site) controlStatus(w http.ResponseWriter, _ *http.Request) {
	type machine struct {
		Name  string `json:"name"`
		UUID  string `json:"uuid"`
		Power string `json:"power"`
		Tools string `json:"tools"`
	}
	machines := []machine{}
	for _, vm := range s.vms() {
		s.own.WithLock(vm, func() {
			if !vm.Config.Template {
				machines = append(machines, machine{
					vm.Name, vm.Config.Uuid, string(vm.Runtime.PowerState), vm.Guest.ToolsRunningStatus,
				})
			}
		})
	}
	answer(w, http.StatusOK, map[string]any{
		"address": s.address, "machines": machines, "faults": s.faults.active(), "catalogue": catalogue, "lab": s.lab != nil,
	})
}

func (s *site) controlFault(w http.ResponseWriter, r *http.Request) {
	var one fault
	if err := json.NewDecoder(r.Body).Decode(&one); err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
		return
	}
	if _, known := catalogue[one.Name]; !known {
		var names []string
		for name := range catalogue {
			names = append(names, name)
		}
		message := fmt.Sprintf("there is no fault %q; use one of %s", one.Name, strings.Join(names, ", "))
		answer(w, http.StatusBadRequest, map[string]string{"message": message})
		return
	}
	if one.Name == "session-expired" {
		s.expireSessions()
	} else {
		s.faults.set(one)
	}
	if one.Name == "datastore-full" {
		s.countSpace()
	}
	answer(w, http.StatusOK, map[string]string{})
}

func (s *site) controlClear(w http.ResponseWriter, r *http.Request) {
	var one struct {
		Name string `json:"name"`
	}
	if err := json.NewDecoder(r.Body).Decode(&one); err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
		return
	}
	s.faults.clear(one.Name)
	s.countSpace()
	answer(w, http.StatusOK, map[string]string{})
}
