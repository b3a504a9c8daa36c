package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A question is a line of JSON; hashes and entries in it are base64, as encoding/json has bytes.
type question struct {
	Kind    string
	Entry   []byte
	Index   int64
	Old     int64
	OldRoot []byte `json:"old_root"`
	Size    int64
	Root    []byte
	Path    [][]byte
	Note    string
	Key     string
	Proof   string
	Policy  string
}

// check answers each line of standard input with a line: "ok", or why not.
func check([]string) error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	answers := bufio.NewWriter(os.Stdout)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return err
		}
		answer := "ok"
		if err := asked.judge(); err != nil {
			answer = fmt.Sprintf("%q", err.Error())
		}
		fmt.Fprintln(answers, answer)
		if err := answers.Flush(); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (asked question) judge() error {
	switch asked.Kind {
	case "inclusion":
		root, path, err := asked.hashes()
		if err != nil {
			return err
		}
		leaf := tlog.RecordHash(asked.Entry)
		return tlog.CheckRecord(path, asked.Size, root, asked.Index, leaf)
	case "consistency":
		root, path, err := asked.hashes()
		if err != nil {
			return err
		}
		oldRoot, err := hash(asked.OldRoot)
		if err != nil {
			return err
		}
		return tlog.CheckTree(path, asked.Size, root, asked.Old, oldRoot)
	case "checkpoint":
		_, err := opened([]byte(asked.Note), asked.Key)
		return err
	case "cosignature":
		return cosigned([]byte(asked.Note), asked.Key)
	case "proof":
		policy, err := torchwood.ParsePolicy([]byte(asked.Policy))
		if err != nil {
			return err
		}
		return torchwood.VerifyProof(policy, tlog.RecordHash(asked.Entry), []byte(asked.Proof))
	}
	return fmt.Errorf("unknown kind %q", asked.Kind)
}

func (asked question) hashes() (root tlog.Hash, path []tlog.Hash, err error) {
	for _, each := range asked.Path {
		found, err := hash(each)
		if err != nil {
			return root, nil, err
		}
		path = append(path, found)
	}
	root, err = hash(asked.Root)
	return root, path, err
}

func hash(of []byte) (tlog.Hash, error) {
	return tlog.ParseHash(base64.StdEncoding.EncodeToString(of))
}

// opened is a log's checkpoint: signed with this key, whose name is its origin.
func opened(signed []byte, vkey string) (torchwood.Checkpoint, error) {
	key, err := note.NewVerifier(vkey)
	if err != nil {
		return torchwood.Checkpoint{}, err
	}
	found, err := note.Open(signed, note.VerifierList(key))
	if err != nil {
		return torchwood.Checkpoint{}, err
	}
	checkpoint, err := torchwood.ParseCheckpoint(found.Text)
	if err == nil && checkpoint.Origin != key.Name() {
		err = errors.New("the checkpoint is of another log")
	}
	return checkpoint, err
}

func cosigned(signed []byte, vkey string) error {
	key, err := torchwood.NewCosignatureVerifier(vkey)
	if err != nil {
		return err
	}
	_, err = note.Open(signed, note.VerifierList(key))
	return err
}
