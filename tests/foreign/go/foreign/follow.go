package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

// follow reads a log as any follower does, over HTTP: the checkpoint, every entry and every tile; with
// an access token, if there is one, which only entries of format 1 need.
// Each entry is compared with its leaf, and the tiles with the root that is signed (TileHashReader);
// then a proof is made for every leaf out of the tiles, and checked, and one of consistency with
// each size that is a power of two. It prints how many leaves there were.
func follow(arguments []string) error {
	if len(arguments) != 2 && len(arguments) != 3 {
		return errors.New("follow takes an address, a key and perhaps an access token")
	}
	client := http.DefaultClient
	if len(arguments) == 3 {
		client = &http.Client{Transport: bearer(arguments[2])}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	fetcher, err := torchwood.NewTileFetcher(arguments[0], torchwood.WithConcurrencyLimit(4),
		torchwood.WithHTTPClient(client))
	if err != nil {
		return err
	}
	signed, err := fetcher.ReadEndpoint(ctx, "checkpoint")
	if err != nil {
		return err
	}
	checkpoint, err := opened(signed, arguments[1])
	if err != nil {
		return err
	}
	reader, err := torchwood.NewClient(fetcher)
	if err != nil {
		return err
	}
	// What the entries hash to, in a tree of Go's own.
	var stored []tlog.Hash
	own := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for at, index := range indexes {
			found[at] = stored[index]
		}
		return found, nil
	})
	var leaves []tlog.Hash
	for index, entry := range reader.AllEntries(ctx, checkpoint.Tree, 0) {
		if index != int64(len(leaves)) {
			return fmt.Errorf("entry %d came after %d", index, len(leaves))
		}
		leaf := tlog.RecordHash(entry)
		leaves = append(leaves, leaf)
		hashes, err := tlog.StoredHashesForRecordHash(index, leaf, own)
		if err != nil {
			return err
		}
		stored = append(stored, hashes...)
	}
	if err := reader.Err(); err != nil {
		return err
	}
	if int64(len(leaves)) != checkpoint.N {
		return fmt.Errorf("%d leaves in a tree of %d", len(leaves), checkpoint.N)
	}
	root, err := tlog.TreeHash(checkpoint.N, own)
	if err != nil {
		return err
	}
	if root != checkpoint.Hash {
		return errors.New("the entries have another root than is signed")
	}
	for index, leaf := range leaves {
		path, err := tlog.ProveRecord(checkpoint.N, int64(index), own)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(path, checkpoint.N, checkpoint.Hash, int64(index), leaf); err != nil {
			return fmt.Errorf("leaf %d: %w", index, err)
		}
	}
	tiles := torchwood.TileHashReaderWithContext(ctx, checkpoint.Tree, fetcher)
	for size := int64(1); size < checkpoint.N; size *= 2 {
		older, err := tlog.TreeHash(size, own)
		if err != nil {
			return err
		}
		path, err := tlog.ProveTree(checkpoint.N, size, tiles)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(path, checkpoint.N, checkpoint.Hash, size, older); err != nil {
			return fmt.Errorf("consistency with %d: %w", size, err)
		}
	}
	fmt.Println(len(leaves))
	return nil
}

// bearer sends the access token that it is with every request.
type bearer string

func (token bearer) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Set("Authorization", "Bearer "+string(token))
	return http.DefaultTransport.RoundTrip(request)
}
