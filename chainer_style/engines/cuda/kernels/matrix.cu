// Matrix products by the lanes of a warp, on matrix units: mma of PTX, from sm_80 on.
// For kernels of blocks of THREADS; the tests let the processor take the lanes' turns.
//
// Four lanes, the members of a group, share a row of factors along which a product
// sums. Each holds, of every 4 * MANY channels, a quad of MANY beside each other; which
// of two factors meet is the same for all rows, and their order is free. Columns of a
// result are dealt out alike, and so a lane has the same channels of both.

enum { LANES = 32, WARPS = THREADS / LANES, GROUP = 4 * LANES };

// A load of 16 bytes, as words of matrix units: floats, or pairs of halves.
struct alignas(16) quad {
  unsigned at[4];
};

union shown {
  quad words;
  pack features;
};

__device__ inline pack features_of(quad words) {
  shown both;
  both.words = words;
  return both.features;
}

__device__ inline quad words_of(pack features) {
  shown both;
  both.features = features;
  return both.words;
}

// The channel of an element of what a member holds.
__device__ inline int channel_of(int member, int element) {
  return (element / MANY * 4 + member) * MANY + element % MANY;
}

// The channel of a column of tile j of a result, of eight columns each.
__device__ inline int column_of(int j, int column) {
  return channel_of(column / 2, j * 2 + column % 2);
}

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
__device__ inline unsigned rounded(unsigned word) {
#if FEATURE == 32
  asm("cvt.rna.tf32.f32 %0, %0;" : "+r"(word));
#endif
  return word;
}

// Adds a product of 16 rows and 8 columns: to two numbers of row `group`, and to two of
// the row 8 below. a: the words of these rows, first along the sum, then 4 words on.
__device__ inline void multiply(float *sum, unsigned a0, unsigned a1, unsigned a2,
                                unsigned a3, unsigned b0, unsigned b1) {
#if FEATURE == 32
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
#elif FEATURE == 17
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
#else
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
#endif
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

__device__ inline unsigned place_of(const quad *there) {
  return (unsigned)__cvta_generic_to_shared(there);
}

// Sixteen bytes on their way to shared memory, or zeros: by way of the first cache, which
// is faster where a map is read once, or past it.
__device__ inline void copy(quad *to, const feature *from, bool inside) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 16, %2;" ::"r"(place_of(to)),
               "l"(from), "r"(inside ? 16 : 0)
               : "memory");
}
__device__ inline void copy_past(quad *to, const feature *from, bool inside) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(place_of(to)),
               "l"(from), "r"(inside ? 16 : 0)
               : "memory");
}
__device__ inline void await_copies() {
  asm volatile("cp.async.wait_all;" ::: "memory");
}
// Those that began since the last time are waited for together.
__device__ inline void end_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
// Waits for all but the last so many of them.
template <int PENDING>
__device__ inline void await_copies_but() {
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}
// The threads of four warps wait for each other.
__device__ inline void meet() {
  asm volatile("bar.sync %0, 128;" ::"r"(1 + threadIdx.x / GROUP) : "memory");
}
#elif defined(__CUDA_ARCH__)
// Never launched on such devices (Machine.units).
__device__ inline unsigned rounded(unsigned word) { return word; }
__device__ inline void multiply(float *, unsigned, unsigned, unsigned, unsigned, unsigned,
                                unsigned) {}
__device__ inline void copy(quad *, const feature *, bool) {}
__device__ inline void copy_past(quad *, const feature *, bool) {}
__device__ inline void await_copies() {}
__device__ inline void end_copies() {}
template <int PENDING>
__device__ inline void await_copies_but() {}
__device__ inline void meet() {}
#endif

#ifdef __CUDA_ARCH__
extern __shared__ quad shared[];  // as much as a launch says
#else
static quad shared[1 << 14];
#endif

__device__ inline quad rounded(quad words) {
#pragma unroll
  for (int k = 0; k < 4; ++k) words.at[k] = rounded(words.at[k]);
  return words;
}

// Both products of a quad of two rows with one of a column.
__device__ inline void multiply(float *sum, const quad &above, const quad &below,
                                const quad &column) {
  multiply(sum, above.at[0], below.at[0], above.at[1], below.at[1], column.at[0],
           column.at[1]);
  multiply(sum, above.at[2], below.at[2], above.at[3], below.at[3], column.at[2],
           column.at[3]);
}
