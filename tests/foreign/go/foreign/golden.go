package main

import (
	"crypto/ed25519"
	"crypto/mldsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const origin = "golden.example/log"

var sizes = []int64{1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 255, 256, 257, 300, 511, 513, 1000}

type inclusion struct {
	Index int64    `json:"index"`
	Path  [][]byte `json:"path"`
}

type consistency struct {
	Old  int64    `json:"old"`
	Path [][]byte `json:"path"`
}

type tree struct {
	Size        int64         `json:"size"`
	Root        []byte        `json:"root"`
	Inclusion   []inclusion   `json:"inclusion"`
	Consistency []consistency `json:"consistency"`
	Checkpoint  string        `json:"checkpoint"`
	Cosigned    string        `json:"cosigned"`
	Proof       string        `json:"proof"`
}

// A quantum is what a witness with ML-DSA-44 has signed.
type quantum struct {
	Key      string `json:"key"`
	Cosigned string `json:"cosigned"`
}

type vectors struct {
	Entries    string `json:"entries"`
	LogKey     string `json:"log_key"`
	WitnessKey string `json:"witness_key"`
	Policy     string `json:"policy"`
	PostQuantum quantum `json:"post_quantum"`
	Trees       []tree `json:"trees"`
}

// golden prints vectors: of trees whose leaves are "entry 0", "entry 1" and so on. The keys are
// made of constant bytes, so all but the times of cosignatures is the same in every run.
func golden([]string) error {
	seed := func(with byte) ed25519.PrivateKey {
		constant := make([]byte, ed25519.SeedSize)
		for at := range constant {
			constant[at] = with
		}
		return ed25519.NewKeyFromSeed(constant)
	}
	logKey := seed(1)
	vkey, err := note.NewEd25519VerifierKey(origin, logKey.Public().(ed25519.PublicKey))
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	secret := base64.StdEncoding.EncodeToString(append([]byte{1}, logKey.Seed()...))
	signer, err := note.NewSigner(
		fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", origin, verifier.KeyHash(), secret))
	if err != nil {
		return err
	}
	witness, err := torchwood.NewCosignatureSigner("witness.example/golden", seed(2))
	if err != nil {
		return err
	}
	made := vectors{
		Entries:    "entry %d",
		LogKey:     vkey,
		WitnessKey: witness.Verifier().String(),
		Policy:     fmt.Sprintf("log %s\nwitness w %s\nquorum w\n", vkey, witness.Verifier()),
	}
	var stored []tlog.Hash
	own := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for at, index := range indexes {
			found[at] = stored[index]
		}
		return found, nil
	})
	next := int64(0)
	for _, size := range sizes {
		for ; next < size; next++ {
			hashes, err := tlog.StoredHashes(next, fmt.Appendf(nil, "entry %d", next), own)
			if err != nil {
				return err
			}
			stored = append(stored, hashes...)
		}
		grown, err := grownTree(size, own, signer, witness)
		if err != nil {
			return err
		}
		made.Trees = append(made.Trees, grown)
	}
	made.PostQuantum, err = cosignedByML(made.Trees[len(made.Trees)-1].Checkpoint, verifier)
	if err != nil {
		return err
	}
	printed := json.NewEncoder(os.Stdout)
	printed.SetIndent("", " ")
	printed.SetEscapeHTML(false)
	return printed.Encode(made)
}

func cosignedByML(checkpoint string, log note.Verifier) (quantum, error) {
	constant := make([]byte, mldsa.PrivateKeySize)
	for at := range constant {
		constant[at] = 3
	}
	key, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), constant)
	if err != nil {
		return quantum{}, err
	}
	witness, err := torchwood.NewCosignatureSigner("witness.example/quantum", key)
	if err != nil {
		return quantum{}, err
	}
	opened, err := note.Open([]byte(checkpoint), note.VerifierList(log))
	if err != nil {
		return quantum{}, err
	}
	signed, err := note.Sign(opened, witness)
	return quantum{witness.Verifier().String(), string(signed)}, err
}

func grownTree(
	size int64, own tlog.HashReader, signer note.Signer, witness note.Signer,
) (tree, error) {
	root, err := tlog.TreeHash(size, own)
	if err != nil {
		return tree{}, err
	}
	grown := tree{Size: size, Root: root[:]}
	var last tlog.RecordProof
	for _, index := range some(size) {
		last, err = tlog.ProveRecord(size, index, own)
		if err != nil {
			return tree{}, err
		}
		grown.Inclusion = append(grown.Inclusion, inclusion{index, listed(last)})
	}
	for _, index := range some(size) {
		path, err := tlog.ProveTree(size, index+1, own)
		if err != nil {
			return tree{}, err
		}
		grown.Consistency = append(grown.Consistency, consistency{index + 1, listed(path)})
	}
	text := torchwood.Checkpoint{
		Origin: origin, Tree: tlog.Tree{N: size, Hash: root},
	}.String()
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		return tree{}, err
	}
	both, err := note.Sign(&note.Note{Text: text}, signer, witness)
	if err != nil {
		return tree{}, err
	}
	grown.Checkpoint, grown.Cosigned = string(signed), string(both)
	grown.Proof = string(torchwood.FormatProof(size-1, last, both))
	return grown, nil
}

// some indexes: the ends, and where a tree divides.
func some(size int64) []int64 {
	var found []int64
	for _, index := range []int64{0, 1, 2, 3, 7, 8, 100, 255, 256, 299, 510, size - 2, size - 1} {
		if index >= 0 && index < size && (len(found) == 0 || index > found[len(found)-1]) {
			found = append(found, index)
		}
	}
	return found
}

func listed(hashes []tlog.Hash) [][]byte {
	found := make([][]byte, len(hashes))
	for at, each := range hashes {
		found[at] = each[:]
	}
	return found
}
