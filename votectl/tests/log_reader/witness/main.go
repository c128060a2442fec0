// A witness of public logs, written from C2SP tlog-witness and tlog-cosignature with Go's own libraries for checksum databases, which
// know nothing of this project. The arguments are its name, the seed of its key in hexadecimal digits, and the public key of the
// one log that it knows. Prints its public key and its address, and answers until it is killed.
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The byte in front of a key that makes cosignatures.
const cosignatureV1 = 4

type witness struct {
	name  string
	key   ed25519.PrivateKey
	known note.Verifier

	mutex sync.Mutex
	tree  tlog.Tree
}

func main() {
	seed, err := hex.DecodeString(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	known, err := note.NewVerifier(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	w := &witness{name: os.Args[1], key: ed25519.NewKeyFromSeed(seed), known: known}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	key := base64.StdEncoding.EncodeToString(w.typedKey())
	fmt.Printf("%s+%x+%s http://%s/w\n", w.name, w.keyID(), key, listener.Addr())
	http.HandleFunc("POST /w/add-checkpoint", w.add)
	log.Fatal(http.Serve(listener, nil))
}

func (w *witness) typedKey() []byte {
	return append([]byte{cosignatureV1}, w.key.Public().(ed25519.PublicKey)...)
}

func (w *witness) keyID() []byte {
	hash := sha256.Sum256(append([]byte(w.name+"\n"), w.typedKey()...))
	return hash[:4]
}

func (w *witness) add(reply http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(io.LimitReader(request.Body, 1<<16))
	if err != nil {
		http.Error(reply, err.Error(), http.StatusBadRequest)
		return
	}
	status, answer := w.sign(string(body))
	if status == http.StatusConflict {
		reply.Header().Set("Content-Type", "text/x.tlog.size")
	}
	reply.WriteHeader(status)
	io.WriteString(reply, answer)
}

func (w *witness) sign(body string) (int, string) {
	question, checkpoint, found := strings.Cut(body, "\n\n")
	lines := strings.Split(question, "\n")
	var old int64
	if _, err := fmt.Sscanf(lines[0], "old %d", &old); err != nil || !found {
		return http.StatusBadRequest, "no old size\n"
	}
	var proof tlog.TreeProof
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return http.StatusBadRequest, err.Error() + "\n"
		}
		proof = append(proof, hash)
	}
	if origin, _, _ := strings.Cut(checkpoint, "\n"); origin != w.known.Name() {
		return http.StatusNotFound, "unknown log " + origin + "\n"
	}
	signed, err := note.Open([]byte(checkpoint), note.VerifierList(w.known))
	if err != nil {
		return http.StatusForbidden, err.Error() + "\n"
	}
	tree, err := parse(signed.Text)
	if err != nil || old > tree.N {
		return http.StatusBadRequest, "no checkpoint\n"
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if old != w.tree.N || (old == tree.N && tree.Hash != w.tree.Hash) {
		return http.StatusConflict, fmt.Sprintf("%d\n", w.tree.N)
	}
	if old > 0 && old < tree.N {
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, old, w.tree.Hash); err != nil {
			return http.StatusUnprocessableEntity, err.Error() + "\n"
		}
	} else if len(proof) > 0 {
		return http.StatusUnprocessableEntity, "the proof must be empty\n"
	}
	w.tree = tree
	now := uint64(time.Now().Unix())
	signature := ed25519.Sign(w.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", now, signed.Text))
	all := binary.BigEndian.AppendUint64(w.keyID(), now)
	all = append(all, signature...)
	return http.StatusOK, fmt.Sprintf("— %s %s\n", w.name, base64.StdEncoding.EncodeToString(all))
}

func parse(text string) (tlog.Tree, error) {
	lines := strings.Split(text, "\n")
	var tree tlog.Tree
	if _, err := fmt.Sscan(lines[1], &tree.N); err != nil {
		return tree, err
	}
	hash, err := tlog.ParseHash(lines[2])
	tree.Hash = hash
	return tree, err
}
