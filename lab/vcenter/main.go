// Command vcenter is the lab's vCenter: govmomi's simulator with the gaps closed that would let a program pass here and
// fail on a real vCenter, and with a real machine of the lab behind every virtual machine that is powered on.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options is what the command line says.
type options struct {
	listen      string
	certificate string
	key         string
	users       string
	dir         string
	datastores  string
	control     string
	lab         string
	noLab       bool
	clone       time.Duration
	poll        time.Duration
}

func parse() options {
	var o options
	var cloneSeconds, pollSeconds float64
	flag.StringVar(&o.listen, "listen", "127.0.0.1:8989", "address and port to serve on")
	flag.StringVar(&o.certificate, "certificate", "", "PEM file with the server's certificate and its chain")
	flag.StringVar(&o.key, "key", "", "PEM file with the server's private key; by default the certificate's file")
	flag.StringVar(&o.users, "users", "", "JSON file: [{\"name\", \"password\", \"role\": \"admin\" or \"reader\"}]")
	flag.StringVar(&o.dir, "dir", "", "folder for datastores and state; without one, everything is gone at the end")
	flag.StringVar(&o.datastores, "datastores", "", "folder with one folder per datastore; by default in -dir")
	flag.StringVar(&o.control, "control", "", "unix socket on which faults are switched")
	flag.StringVar(&o.lab, "lab", "", "unix socket of the lab's daemon")
	flag.BoolVar(&o.noLab, "no-lab", false, "virtual machines without a machine behind them")
	flag.Float64Var(&cloneSeconds, "clone-seconds", 0.5, "how long a clone takes")
	flag.Float64Var(&pollSeconds, "poll-seconds", 1, "how often the lab is asked about its machines")
	flag.Parse()
	o.clone = time.Duration(cloneSeconds * float64(time.Second))
	o.poll = time.Duration(pollSeconds * float64(time.Second))
	if o.key == "" {
		o.key = o.certificate
	}
	return o
}

func main() {
	log.SetFlags(log.Ltime)
	if err := run(parse()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(o options) error {
	if o.certificate == "" || o.users == "" || (o.lab == "") != o.noLab {
		return fmt.Errorf("vcenter: -certificate and -users are needed, and one of -lab and -no-lab")
	}
	pair, err := tls.LoadX509KeyPair(o.certificate, o.key)
	if err != nil {
		return err
	}
	known, err := loadUsers(o.users)
	if err != nil {
		return err
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "vcenter-"); err != nil {
			return err
		}
		defer os.RemoveAll(o.dir)
	} else if o.dir, err = filepath.Abs(o.dir); err != nil {
		return err
	}
	if o.datastores == "" {
		o.datastores = filepath.Join(o.dir, "datastores")
	} else if o.datastores, err = filepath.Abs(o.datastores); err != nil {
		return err
	}
	s, err := newSite(o, known)
	if err != nil {
		return err
	}
	defer s.model.Remove()
	admin := known[0]
	s.model.Service.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	s.model.Service.Listen = &url.URL{Host: o.listen, User: url.UserPassword(admin.Name, admin.Password)}
	s.model.Service.RegisterEndpoints = true
	server := s.model.Service.NewServer()
	s.address = server.URL.Host
	s.watchHTTP(server.Config)
	if err := s.makeTags(); err != nil {
		return err
	}
	if err := s.restore(); err != nil {
		return err
	}
	s.registry.Handler = s.dispatch
	if err := s.serveControl(); err != nil {
		return err
	}
	s.followLab()
	fmt.Printf("ready https://%s\n", s.address)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
	return s.save()
}
