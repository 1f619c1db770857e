// SPDX-License-Identifier: MIT
// sync.Pool of Go in the patterns of ../../../object_work.h: no limit, so nobody ever waits, and what
// lies in it may vanish with any garbage collection. Goroutines, one for each thread of the others.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
)

const cannot = 77 // the harness' word for "nothing of the kind"

type object struct{ bytes [64]byte }

var pool = sync.Pool{New: func() any { return new(object) }}

type span struct{ start, end time.Time }

func cycle(count int) {
	for i := 0; i < count; i++ {
		held := pool.Get().(*object)
		held.bytes[0]++
		pool.Put(held)
	}
}

func burst(held []*object, count int) {
	for count > 0 {
		now := len(held)
		if count < now {
			now = count
		}
		for i := 0; i < now; i++ {
			held[i] = pool.Get().(*object)
		}
		for i := 0; i < now; i++ {
			pool.Put(held[i])
		}
		count -= now
	}
}

// Runs `count` operations in each goroutine; returns first start to last end.
func window(run func(int), goroutines, count int) time.Duration {
	var ready, done sync.WaitGroup
	begin := make(chan struct{})
	spans := make([]span, goroutines)
	ready.Add(goroutines)
	done.Add(goroutines)
	for i := range spans {
		go func(mine *span) {
			ready.Done()
			<-begin
			mine.start = time.Now()
			run(count)
			mine.end = time.Now()
			done.Done()
		}(&spans[i])
	}
	ready.Wait()
	close(begin)
	done.Wait()
	first, last := spans[0].start, spans[0].end
	for _, s := range spans {
		if s.start.Before(first) {
			first = s.start
		}
		if s.end.After(last) {
			last = s.end
		}
	}
	return last.Sub(first)
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println("Go", runtime.Version()[2:], "sync.Pool")
		return
	}
	var values []int
	windows, windowUs := 7, 2000
	for i := 2; i < len(os.Args); i++ {
		switch os.Args[i] {
		case "--windows":
			i++
			windows = number(os.Args[i])
		case "--window-us":
			i++
			windowUs = number(os.Args[i])
		case "--cpu": // goroutines have no CPU of their own
			i++
		default:
			values = append(values, number(os.Args[i]))
		}
	}
	run, goroutines := cycle, 1
	switch {
	case len(os.Args) > 1 && os.Args[1] == "cycle" && len(values) >= 2:
		goroutines = values[1]
	case len(os.Args) > 1 && os.Args[1] == "burst" && len(values) >= 1:
		held := make([]*object, values[0])
		run = func(count int) { burst(held, count) }
	default:
		os.Exit(cannot)
	}
	// Ten times the usual length, as worker.c has it where wall time counts; doubling warms up.
	count, enough := 1024, time.Duration(windowUs)*5*time.Microsecond
	for window(run, goroutines, count) < enough {
		count *= 2
	}
	for i := 0; i < windows; i++ {
		took := window(run, goroutines, count)
		fmt.Printf("%.3f\n", float64(took.Nanoseconds())/float64(count*goroutines))
	}
}
