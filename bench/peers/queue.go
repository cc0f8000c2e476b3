// The rows of the queue suite with Go's channels: queue ROW; prints
// {"name", "ns"}.
package main

import (
	"fmt"
	"os"
	"time"
)

func perCall(count int, work func(int)) float64 {
	work(count)
	start := time.Now()
	work(count)
	return float64(time.Since(start).Nanoseconds()) / float64(count)
}

// Select over four channels, one of which has all items, with the send.
func selectOfFour() float64 {
	var channels [4]chan int
	for i := range channels {
		channels[i] = make(chan int, 1)
	}
	a, b, c, d := channels[0], channels[1], channels[2], channels[3]
	return perCall(2_000_000, func(count int) {
		for i := 0; i < count; i++ {
			b <- i
			select {
			case <-a:
			case <-b:
			case <-c:
			case <-d:
			}
		}
	})
}

// A number there and back between two goroutines.
func handOver(size int) float64 {
	there, back := make(chan int, size), make(chan int, size)
	go func() {
		for i := range there {
			back <- i
		}
	}()
	return perCall(200_000, func(count int) {
		for i := 0; i < count; i++ {
			there <- i
			<-back
		}
	})
}

func main() {
	row := os.Args[1]
	var ns float64
	switch row {
	case "select":
		ns = selectOfFour()
	case "hand-over":
		ns = handOver(1)
	case "synchronous":
		ns = handOver(0)
	default:
		fmt.Fprintf(os.Stderr, "error: the row is unknown, received %s\n", row)
		os.Exit(1)
	}
	fmt.Printf("{\"name\":%q,\"ns\":%f}\n", row, ns)
}
