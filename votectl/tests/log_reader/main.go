// Reads a public log with Go's own libraries for checksum databases, which know nothing of this project: checks the signature of
// the checkpoint, all tiles against its root hash, and all entries against the tiles. The argument is a folder with what was
// downloaded. Prints the number of entries.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	entries, err := check(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(entries)
}

func check(log string) (int64, error) {
	keys, err := get(log + "/keys")
	if err != nil {
		return 0, err
	}
	var known []note.Verifier
	for _, line := range strings.Fields(string(keys)) {
		verifier, err := note.NewVerifier(line)
		if err != nil {
			return 0, err
		}
		known = append(known, verifier)
	}
	text, err := get(log + "/checkpoint")
	if err != nil {
		return 0, err
	}
	signed, err := note.Open(text, note.VerifierList(known...))
	if err != nil {
		return 0, err
	}
	lines := strings.Split(signed.Text, "\n")
	var size int64
	if _, err := fmt.Sscan(lines[1], &size); err != nil {
		return 0, err
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return 0, err
	}
	// The library checks every tile that it reads against the root hash.
	tree := tlog.Tree{N: size, Hash: root}
	hashes := tlog.TileHashReader(tree, reader{log})
	for first := int64(0); first < size; first += 256 {
		width := min(size-first, 256)
		bundle, err := get(fmt.Sprintf("%s/%s", log, path("entries", first/256, int(width))))
		if err != nil {
			return 0, err
		}
		for at := first; at < first+width; at++ {
			length := int(binary.BigEndian.Uint16(bundle))
			entry := bundle[2 : 2+length]
			bundle = bundle[2+length:]
			proof, err := tlog.ProveRecord(size, at, hashes)
			if err != nil {
				return 0, err
			}
			if err := tlog.CheckRecord(proof, size, root, at, tlog.RecordHash(entry)); err != nil {
				return 0, fmt.Errorf("entry %d: %w", at, err)
			}
		}
	}
	return size, nil
}

type reader struct{ log string }

func (r reader) Height() int { return height }

func (r reader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := get(fmt.Sprintf("%s/%s", r.log, path(fmt.Sprint(tile.L), tile.N, tile.W)))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (r reader) SaveTiles([]tlog.Tile, [][]byte) {}

// The address of C2SP tlog-tiles, which has no height in front as that of Go has.
func path(level string, index int64, width int) string {
	tile := tlog.Tile{H: height, L: 0, N: index, W: width}
	return "tile/" + level + "/" + strings.TrimPrefix(tile.Path(), "tile/8/0/")
}

// Reads a file of the log, which has the name of its address.
func get(file string) ([]byte, error) {
	return os.ReadFile(file)
}
