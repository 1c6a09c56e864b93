// The kernels of engine cuda: what lies between convolutions and matrix products.
//
// Feature maps lie position by position, channels beside each other, filled up with
// zeros to a multiple of 8. FEATURE tells their numbers: 32 float, 16 IEEE half,
// 17 bfloat16; all arithmetic is in float. THREADS is the size of every block.
//
// Nothing here is bound to CUDA beyond thread numbers, shared memory and a barrier:
// the tests compile the same file for the processor.

typedef long long wide;  // a picture of 8K has more features than an int counts

#if FEATURE == 32
typedef float feature;
__device__ inline float widen(feature value) { return value; }
__device__ inline feature narrow(float value) { return value; }
#else
struct feature {
  unsigned short bits;
};
__device__ inline unsigned bits_of(float value) {
  union {
    float value;
    unsigned bits;
  } both;
  both.value = value;
  return both.bits;
}
__device__ inline float value_of(unsigned bits) {
  union {
    float value;
    unsigned bits;
  } both;
  both.bits = bits;
  return both.value;
}
#if FEATURE == 17
__device__ inline float widen(feature value) {
  return value_of((unsigned)value.bits << 16);
}
__device__ inline feature narrow(float value) {
  unsigned bits = bits_of(value);
  feature result;
  if (value != value)
    result.bits = 0x7fff;
  else  // to the nearest, ties to even
    result.bits = (unsigned short)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  return result;
}
#elif defined(__CUDA_ARCH__)
__device__ inline float widen(feature value) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
  return result;
}
__device__ inline feature narrow(float value) {
  feature result;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
  return result;
}
#else
__device__ inline float widen(feature value) { return half_to_float(value.bits); }
__device__ inline feature narrow(float value) {
  feature result;
  result.bits = float_to_half(value);
  return result;
}
#endif
#endif

// As many features as one load of 16 bytes brings.
enum { MANY = 16 / sizeof(feature) };
struct alignas(16) pack {
  feature at[MANY];
};

#define EACH(i, count)                                              \
  for (wide i = blockIdx.x * (wide)blockDim.x + threadIdx.x; i < (count); \
       i += (wide)gridDim.x * blockDim.x)

// What lies where the i-th of so many is, counted from the end. A map that was written
// just now is in the cache as far as it has room, its end: who begins there finds it.
__device__ inline wide from_end(wide i, wide count) { return count - 1 - i; }

// Some rows and columns of a map, the last ones left out.
struct Region {
  int top, left, bottom, right;
  __device__ bool has(int row, int column) const {
    return row >= top && row < bottom && column >= left && column < right;
  }
  __device__ wide index(int row, int column) const {
    return (row - top) * (wide)(right - left) + column - left;
  }
};

// What a pooling window does; see Pool in networks/nodes.py.
enum { AVERAGE, MAXIMUM, ROOT };

// Gives the first thread of a block the sum of its values. The order of all additions
// is fixed, and so the same picture gives the same losses.
__device__ inline float sum_of_block(float value) {
  __shared__ float sums[THREADS];
  sums[threadIdx.x] = value;
  __syncthreads();
  for (int reach = THREADS / 2; reach; reach /= 2) {
    if (threadIdx.x < reach) sums[threadIdx.x] += sums[threadIdx.x + reach];
    __syncthreads();
  }
  return sums[0];
}

__device__ inline void add_up(float value, float *partial) {
  float sum = sum_of_block(value);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}
