// Command foreign lets the code of others judge a permit ledger's transparency log: Go's
// golang.org/x/mod/sumdb (the checksum database's own) and filippo.io/torchwood. It hashes and
// verifies nothing by itself.
package main

import (
	"fmt"
	"os"
)

func main() {
	commands := map[string]func([]string) error{"check": check, "follow": follow, "golden": golden}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: foreign check | follow URL VKEY [TOKEN] | golden")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "foreign:", err)
		os.Exit(1)
	}
}
