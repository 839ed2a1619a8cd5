// Changed for Wardian: the garbage collector and the clock rest while the host
// may call cabi_realloc, see Import.

package runtime

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"unsafe"
)

type Handle struct {
	value int32
}

func (h *Handle) Use() int32 {
	if h.value == 0 {
		panic("nil handle")
	}
	return h.value
}

func (h *Handle) Take() int32 {
	if h.value == 0 {
		panic("nil handle")
	}
	value := h.value
	h.value = 0
	return value
}

func (h *Handle) Set(value int32) {
	if value == 0 {
		panic("nil handle")
	}
	if h.value != 0 {
		panic("handle already set")
	}
	h.value = value
}

func (h *Handle) TakeOrNil() int32 {
	value := h.value
	h.value = 0
	return value
}

func MakeHandle(value int32) *Handle {
	if value == 0 {
		panic("nil handle")
	}
	return &Handle{value}
}

func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	pointer := allocateRaw(size, align)
	pinner.Pin(pointer)
	return pointer
}

func allocateRaw(size, align uintptr) unsafe.Pointer {
	if size == 0 {
		return nil
	}

	if size%align != 0 {
		panic(fmt.Sprintf("size %v is not compatible with alignment %v", size, align))
	}

	switch align {
	case 1:
		return unsafe.Pointer(unsafe.SliceData(make([]uint8, size)))
	case 2:
		return unsafe.Pointer(unsafe.SliceData(make([]uint16, size/align)))
	case 4:
		return unsafe.Pointer(unsafe.SliceData(make([]uint32, size/align)))
	case 8:
		return unsafe.Pointer(unsafe.SliceData(make([]uint64, size/align)))
	default:
		panic(fmt.Sprintf("unsupported alignment: %v", align))
	}
}

// NB: `cabi_realloc` may be called before the Go runtime has been initialized,
// in which case we need to use `runtime.sbrk` to do allocations.  The following
// is an abbreviation of [Till's
// efforts](https://github.com/bytecodealliance/go-modules/pull/367).

//go:linkname sbrk runtime.sbrk
func sbrk(n uintptr) unsafe.Pointer

//nolint:unused
var useGCAllocations = false

func init() {
	useGCAllocations = true
	// Until the first export has taken its arguments.
	resting++
	gcPercent = debug.SetGCPercent(-1)
}

//nolint:unused
func offset(ptr, align uintptr) uintptr {
	newptr := (ptr + align - 1) &^ (align - 1)
	return newptr - ptr
}

var pinner = runtime.Pinner{}

// While the host calls into the component for memory, the component must not
// call out. Go would, to ask for the time: the collector when a cycle ends, the
// scheduler around every export. So both rest from before the host may do so,
// for which SetGCPercent waits for a running cycle, until after it did.
var (
	resting   int
	gcPercent = 100
)

func rest() {
	resting++
	if percent := debug.SetGCPercent(-1); percent >= 0 {
		gcPercent = percent
	}
	adapterMonotonicClockSetPaused(true)
}

func wake() {
	resting--
	if resting > 0 {
		return
	}
	adapterMonotonicClockSetPaused(false)
	pinner.Unpin()
	debug.SetGCPercent(gcPercent)
}

// Import is called before an import whose result the host allocates, and what it
// answers with after the result was taken: from then on Go's own pointers keep it.
func Import() func() {
	rest()
	return wake
}

// Unpin is called by an export once it has taken its arguments.
func Unpin() {
	resting = 1
	wake()
}

// Leave is called by an export before its result is handed over; the host will
// call once more, to have it freed.
func Leave() {
	rest()
}

//nolint:unused
//go:wasmimport wasi_snapshot_preview1 adapter_monotonic_clock_set_paused
func adapterMonotonicClockSetPaused(paused bool)

//nolint:unused
//go:wasmexport cabi_realloc
func cabiRealloc(oldPointer unsafe.Pointer, oldSize, align, newSize uintptr) unsafe.Pointer {
	if oldPointer != nil || oldSize != 0 {
		panic("todo")
	}

	if useGCAllocations {
		return Allocate(&pinner, newSize, align)
	} else {
		alignedSize := newSize + offset(newSize, align)
		unaligned := sbrk(alignedSize)
		off := offset(uintptr(unaligned), align)
		return unsafe.Add(unaligned, off)
	}
}
