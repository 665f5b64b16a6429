// A pod that says who it is, writes files and calls others: what a cluster must let a pod do.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	client := &http.Client{Timeout: 10 * time.Second}
	answer := func(w http.ResponseWriter, text string, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		fmt.Fprintln(w, text)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, fmt.Sprintf("uid=%d", os.Getuid()), nil)
	})
	http.HandleFunc("/write", func(w http.ResponseWriter, r *http.Request) {
		answer(w, "written", os.WriteFile(r.URL.Query().Get("path"), []byte("x"), 0o600))
	})
	http.HandleFunc("/fetch", func(w http.ResponseWriter, r *http.Request) {
		got, err := client.Get(r.URL.Query().Get("url"))
		if err != nil {
			answer(w, "", err)
			return
		}
		defer got.Body.Close()
		body, err := io.ReadAll(got.Body)
		answer(w, string(body), err)
	})
	fmt.Println("serving")
	if err := http.ListenAndServe(":8080", nil); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
