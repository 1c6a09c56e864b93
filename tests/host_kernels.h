// CUDA's words for a processor. Blocks run one after the other; with THREADS above one,
// the threads of a block take turns wherever they wait for each other.
#include <cmath>
#include <cstddef>

#define __device__
#define __global__
#define __shared__ static
#define __launch_bounds__(...)

struct Index {
  unsigned x;
};
static Index blockIdx, threadIdx, blockDim, gridDim;

static inline float half_to_float(unsigned short bits) {
  _Float16 value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return (float)value;
}

static inline unsigned short float_to_half(float value) {
  _Float16 half = (_Float16)value;
  unsigned short bits;
  __builtin_memcpy(&bits, &half, sizeof bits);
  return bits;
}

#if THREADS == 1
static inline void __syncthreads() {}

template <class Kernel>
static void run(unsigned blocks, Kernel kernel) {
  gridDim.x = blocks, blockDim.x = 1;
  for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x) kernel();
}
#else
#include <cstdlib>
#include <functional>
#include <ucontext.h>

enum { STACK = 1 << 16 };
static ucontext_t whole, contexts[THREADS];
static char stacks[THREADS][STACK];
static void *resumed[THREADS][5];
static bool begun[THREADS], alive[THREADS];
static std::function<void()> body;

// Goes on with a thread where it was, which costs less than another context.
[[gnu::noinline]] static void enter(unsigned thread) {
  threadIdx.x = thread;
  if (begun[thread]) __builtin_longjmp(resumed[thread], 1);
  begun[thread] = true;
  setcontext(&contexts[thread]);
}

// Lets the next thread go on that has not ended, or whoever began the block.
[[gnu::noinline]] static void give_way() {
  unsigned own = threadIdx.x, next = own;
  do next = (next + 1) % THREADS;
  while (next != own && !alive[next]);
  if (next == own && alive[own]) abort();  // waits for those who will not come
  if (next == own) setcontext(&whole);
  if (!alive[own] || !__builtin_setjmp(resumed[own])) enter(next);
}

static void live() {
  body();
  alive[threadIdx.x] = false;
  give_way();
}

template <class Kernel>
static void run(unsigned blocks, Kernel kernel) {
  gridDim.x = blocks, blockDim.x = THREADS, body = kernel;
  for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x) {
    for (unsigned t = 0; t < THREADS; ++t) {
      getcontext(&contexts[t]);
      contexts[t].uc_stack.ss_sp = stacks[t], contexts[t].uc_stack.ss_size = STACK;
      makecontext(&contexts[t], live, 0);
      begun[t] = !(alive[t] = true);
    }
    threadIdx.x = 0, begun[0] = true;
    swapcontext(&whole, &contexts[0]);
  }
}

// Where threads wait for each other.
struct Meeting {
  unsigned arrived, held;
};
static Meeting of_block, of_warp[THREADS / 32];

static void meet(Meeting &meeting, unsigned all) {
  unsigned held = meeting.held;
  if (++meeting.arrived == all)
    meeting.arrived = 0, ++meeting.held;
  else
    while (meeting.held == held) give_way();
}

static inline void __syncthreads() { meet(of_block, THREADS); }
static inline void __syncwarp() { meet(of_warp[threadIdx.x / 32], 32); }

// Matrix units. No factor is rounded: what comes out is compared with double precision.
static inline unsigned rounded(unsigned word) { return word; }

static float factor(unsigned word, int k) {
#if FEATURE == 32
  float value;
  __builtin_memcpy(&value, &word, sizeof value);
  return k ? 0.0f : value;
#elif FEATURE == 17
  word = k ? word & 0xffff0000u : word << 16;
  float value;
  __builtin_memcpy(&value, &word, sizeof value);
  return value;
#else
  return half_to_float((unsigned short)(k ? word >> 16 : word));
#endif
}

// mma of PTX, m16n8k8 of words, or m16n8k16 of their halves.
static void multiply(float *sum, unsigned a0, unsigned a1, unsigned a2, unsigned a3,
                     unsigned b0, unsigned b1) {
  struct Given {
    unsigned a[4], b[2];
  };
  // The other half is still read while this one is written.
  static Given halves[2][THREADS];
  static bool turns[THREADS];
  Given *given = halves[turns[threadIdx.x] = !turns[threadIdx.x]];
  unsigned lane = threadIdx.x % 32, group = lane / 4, member = lane % 4;
  const Given *warp = given + threadIdx.x / 32 * 32;
  given[threadIdx.x] = {{a0, a1, a2, a3}, {b0, b1}};
  __syncwarp();
  for (unsigned k = 0; k < 4; ++k)
    for (int part = 0; part < 4; ++part) {
      const unsigned *a = warp[group * 4 + k].a;
      const unsigned *b = warp[(member * 2 + part % 2) * 4 + k].b;
      for (int half = 0; half < 2; ++half)
        sum[part] += factor(a[part / 2], half) * factor(b[0], half) +
                     factor(a[part / 2 + 2], half) * factor(b[1], half);
    }
}

// Copies to shared memory are there at once, and groups of products done.
template <class Quad, class Feature>
static void copy(Quad *to, const Feature *from, bool inside) {
  __builtin_memset(to, 0, sizeof *to);
  if (inside) __builtin_memcpy(to, from, sizeof *to);
}
template <class Quad, class Feature>
static void copy_past(Quad *to, const Feature *from, bool inside) {
  copy(to, from, inside);
}
static void await_copies() {}
static void end_copies() {}
template <int PENDING>
static void await_copies_but() {}
static void publish() {}
static void meet() { __syncthreads(); }
static void go_ahead() {}
static void follow() {}
static void begin_group() {}
static void end_group() {}
template <int PENDING>
static void await_groups() {}

// What a warp has of wgmma's m64nNk8, or k16: sixteen rows.
template <int COUNT, class Quad>
static void multiply(float (&sums)[COUNT][4], const Quad &above, const Quad &below,
                     int step, const Quad *columns, int adding) {
  for (int j = 0; j < COUNT; ++j) {
    // A lane holds one word of each half of the column that its group stands for.
    const Quad *own = columns + j * 8 + threadIdx.x % 32 / 4;
    unsigned member = threadIdx.x % 4;
    unsigned first = own[0].at[member], second = own[COUNT * 8].at[member];
    for (int k = 0; k < 4 && !adding; ++k) sums[j][k] = 0.0f;
    multiply(sums[j], above.at[step * 2], below.at[step * 2], above.at[step * 2 + 1],
             below.at[step * 2 + 1], first, second);
  }
}
#endif
