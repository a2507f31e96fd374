"""The lab's vCenter: a simulator in Go, built here once, with the lab's machines behind its virtual machines.

The Go sources lie beside this file; `build` makes the program, `server` runs it, `control` switches its faults, and
`hands` does behind everybody's back what people do to virtual machines.
"""
