// Tessera's POSIX driver as ./dev bench peers measures it: reads entries, each after its length (16
// bits, big-endian), from a file, and times how long it takes until all of them are in the tree and a
// checkpoint of that size is published. Prints the seconds.
package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

var (
	file    = flag.String("entries", "", "the file of entries")
	folder  = flag.String("log", "", "a new folder for the log")
	batch   = flag.Uint("batch", tessera.DefaultBatchMaxSize, "entries integrated at a time")
	waiting = 100 * time.Millisecond // the shortest interval of checkpoints that the driver takes
)

func main() {
	flag.Parse()
	taken, err := measure(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(taken.Seconds())
}

func measure(ctx context.Context) (time.Duration, error) {
	content, err := os.ReadFile(*file)
	if err != nil {
		return 0, err
	}
	entries := split(content)
	key, _, err := note.GenerateKey(rand.Reader, "bench")
	if err != nil {
		return 0, err
	}
	signer, err := note.NewSigner(key)
	if err != nil {
		return 0, err
	}
	driver, err := posix.New(ctx, posix.Config{Path: *folder})
	if err != nil {
		return 0, err
	}
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithBatching(*batch, waiting).
		WithPushback(uint(len(entries))+*batch).
		WithCheckpointInterval(waiting))
	if err != nil {
		return 0, err
	}
	started := time.Now()
	futures := make([]tessera.IndexFuture, 0, len(entries))
	for _, entry := range entries {
		futures = append(futures, appender.Add(ctx, tessera.NewEntry(entry)))
	}
	for _, future := range futures {
		if _, err := future(); err != nil {
			return 0, err
		}
	}
	taken := time.Since(started) // integrated: the driver does it before it answers
	if size, err := reader.IntegratedSize(ctx); err != nil || size != uint64(len(entries)) {
		return 0, fmt.Errorf("the tree has %d entries: %w", size, err)
	}
	return taken, shutdown(ctx)
}

func split(content []byte) [][]byte {
	var entries [][]byte
	for len(content) > 0 {
		end := 2 + int(binary.BigEndian.Uint16(content))
		entries, content = append(entries, content[2:end]), content[end:]
	}
	return entries
}
