package kerneltest

import (
	"syscall"
	"testing"
	"unsafe"
)

// guarded puts the slice at the end of a page that a page without rights
// follows.
func guarded[T Float](t testing.TB, n int) []T {
	t.Helper()
	page := syscall.Getpagesize()
	size := int(unsafe.Sizeof(T(0)))
	room := (n*size + 256 + page - 1) / page * page
	mem, err := syscall.Mmap(-1, 0, room+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return sentinels[T](t, n, 32, 32)
	}
	t.Cleanup(func() { _ = syscall.Munmap(mem) })
	if err := syscall.Mprotect(mem[room:], syscall.PROT_NONE); err != nil {
		return sentinels[T](t, n, 32, 32)
	}
	all := unsafe.Slice((*T)(unsafe.Pointer(&mem[0])), room/size)
	first := len(all) - n
	watch(t, all[max(first-32, 0):first])
	return all[first:]
}
