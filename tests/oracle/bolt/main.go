// Command bolt makes databases with upstream's own package, for the reader in
// host-examples/rust/bolt.
//
//	bolt make FILE PAGE-SIZE SEED TRANSACTIONS [without-freelist]
//	bolt write FILE [without-freelist]
//
// make writes a database and prints how many keys it has. write has three writers until
// its input ends, and prints how many transactions they committed.
//
// The last change of every transaction is to put a checksum of all other keys under
// "sum", so that a reader can tell whether what it sees is the state after one
// transaction.
package main

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
)

const sum = "sum"

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: bolt make|write FILE ...")
	}
	switch os.Args[1] {
	case "make":
		check(makeFile(os.Args[2], os.Args[3:]))
	case "write":
		check(write(os.Args[2], os.Args[3:]))
	default:
		log.Fatalf("unknown command %q", os.Args[1])
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func open(path string, pageSize int, rest []string) (*bolt.DB, error) {
	options := *bolt.DefaultOptions
	options.PageSize = pageSize
	options.NoFreelistSync = len(rest) == 1 && rest[0] == "without-freelist"
	return bolt.Open(path, 0o600, &options)
}

func makeFile(path string, arguments []string) error {
	var numbers [3]int
	if len(arguments) < len(numbers) {
		return fmt.Errorf("make needs a page size, a seed and a number of transactions")
	}
	for i := range numbers {
		number, err := strconv.Atoi(arguments[i])
		if err != nil {
			return err
		}
		numbers[i] = number
	}
	db, err := open(path, numbers[0], arguments[len(numbers):])
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(uint64(numbers[1]), 0))
	for range numbers[2] {
		if err := db.Update(func(tx *bolt.Tx) error { return change(tx, random, 0) }); err != nil {
			return err
		}
	}
	keys := 0
	err = db.View(func(tx *bolt.Tx) error {
		return each(tx.Cursor(), io.Discard, &keys)
	})
	if err != nil {
		return err
	}
	fmt.Println(keys)
	return db.Close()
}

func write(path string, arguments []string) error {
	db, err := open(path, 0, arguments)
	if err != nil {
		return err
	}
	var done atomic.Bool
	var count atomic.Int64
	var writers sync.WaitGroup
	for writer := range 3 {
		random := rand.New(rand.NewPCG(uint64(writer), 1))
		writers.Go(func() {
			for !done.Load() {
				check(db.Update(func(tx *bolt.Tx) error { return change(tx, random, writer) }))
				count.Add(1)
			}
		})
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	done.Store(true)
	writers.Wait()
	fmt.Println(count.Load())
	return db.Close()
}

// change puts and deletes some keys and buckets below a writer's own bucket.
func change(tx *bolt.Tx, random *rand.Rand, writer int) error {
	top, err := tx.CreateBucketIfNotExists(fmt.Appendf(nil, "writer-%d", writer))
	if err != nil {
		return err
	}
	if _, err := top.NextSequence(); err != nil {
		return err
	}
	for range 1 + random.IntN(8) {
		bucket := top
		for range random.IntN(3) {
			name := fmt.Appendf(nil, "bucket-%d", random.IntN(6))
			if bucket, err = bucket.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		key := fmt.Appendf(nil, "key-%d", random.IntN(200))
		switch random.IntN(20) {
		case 0, 1, 2:
			err = bucket.Delete(key)
		case 3:
			err = bucket.DeleteBucket(fmt.Appendf(nil, "bucket-%d", random.IntN(6)))
			if err == bolt.ErrBucketNotFound {
				err = nil
			}
		case 4:
			// Longer than a page.
			err = bucket.Put(key, fill(random, 2000+random.IntN(6000)))
		default:
			err = bucket.Put(key, fill(random, random.IntN(200)))
		}
		if err != nil {
			return err
		}
	}
	return seal(tx)
}

func fill(random *rand.Rand, length int) []byte {
	value := make([]byte, length)
	for i := range value {
		value[i] = byte(random.Uint32())
	}
	return value
}

func seal(tx *bolt.Tx) error {
	bucket, err := tx.CreateBucketIfNotExists([]byte(sum))
	if err != nil {
		return err
	}
	hash := fnv.New64a()
	keys := 0
	if err := each(tx.Cursor(), hash, &keys); err != nil {
		return err
	}
	return bucket.Put([]byte(sum), hash.Sum(nil))
}

// each writes all keys below a cursor, but for the checksum, in their order: "v", key
// and value, or "b", key, what is in the bucket, and "e".
func each(cursor *bolt.Cursor, to io.Writer, keys *int) error {
	for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
		*keys++
		if string(key) == sum {
			continue
		}
		if value == nil {
			io.WriteString(to, "b")
			text(to, key)
			if err := each(cursor.Bucket().Bucket(key).Cursor(), to, keys); err != nil {
				return err
			}
			io.WriteString(to, "e")
			continue
		}
		io.WriteString(to, "v")
		text(to, key)
		text(to, value)
	}
	return nil
}

func text(to io.Writer, bytes []byte) {
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(bytes)))
	to.Write(length[:])
	to.Write(bytes)
}
