// The gradient at a tap that a pooling without overlap reads: features times what their
// Gram matrix is off by, and what the pooling sends back; of these, what the mask lets
// through (see unpool). One pass through the map instead of two: these maps are the largest.
//
// A block computes TILE positions of all CHANNELS, by matrix units (mma of PTX, sm_80).
// Features and errors come through shared memory, DEPTH channels at once, as words of
// 32 bits: a float rounded to TF32, or two halves.

enum { WORDS = 32, PITCH = WORDS + 4 };  // the padding spreads rows over all banks
enum { DEPTH = WORDS * 4 / sizeof(feature) };

struct Pooled {
  const feature *gy;
  const unsigned char *chosen;
  int width, y_height, y_width, height, kernel, kind;
};

// What a pooling sends back to channel c at a position of its input.
__device__ inline float sent_back(const Pooled &p, int row, int column, int c,
                                  int channels) {
  int a = row / p.kernel, b = column / p.kernel;
  if (a >= p.y_height || b >= p.y_width) return 0.0f;
  wide at = ((wide)a * p.y_width + b) * channels + c;
  float slope = widen(p.gy[at]);
  if (p.kind == AVERAGE)
    return slope / (covered(a, p.height, p.kernel, p.kernel, 0) *
                    covered(b, p.width, p.kernel, p.kernel, 0));
  int place = (row - a * p.kernel) * p.kernel + column - b * p.kernel;
  return p.chosen[at] == place ? slope : 0.0f;
}

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
struct alignas(2 * sizeof(feature)) pair {
  feature at[2];
};

__device__ inline void multiply(float *sum, const unsigned *a, const unsigned *b) {
#if FEATURE == 32
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
#elif FEATURE == 17
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
#else
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
#endif
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Rows of DEPTH features from channel `first` on, into shared memory.
template <int ROWS, int CHANNELS>
__device__ inline void bring(const feature *from, wide rows, int first,
                             unsigned *there) {
  for (int i = threadIdx.x; i < ROWS * (WORDS / 4); i += THREADS) {
    int row = i / (WORDS / 4), part = i % (WORDS / 4);
    uint4 words = make_uint4(0, 0, 0, 0);
    const feature *own = from + row * (wide)CHANNELS + first + part * MANY;
    if (row < rows) words = *(const uint4 *)own;
#if FEATURE == 32
    asm("cvt.rna.tf32.f32 %0, %0;" : "+r"(words.x));
    asm("cvt.rna.tf32.f32 %0, %0;" : "+r"(words.y));
    asm("cvt.rna.tf32.f32 %0, %0;" : "+r"(words.z));
    asm("cvt.rna.tf32.f32 %0, %0;" : "+r"(words.w));
#endif
    *(uint4 *)(there + row * PITCH + part * 4) = words;
  }
}

template <int CHANNELS, int TILE>
__device__ inline void tapped(const feature *x, const feature *error, feature *gx,
                              const Pooled &pooled, int masked) {
  // Warps: four share the positions, two the channels.
  enum { HIGH = TILE / 64, BROAD = CHANNELS / 16 };
  __shared__ alignas(16) unsigned features[TILE * PITCH];
  __shared__ alignas(16) unsigned errors[CHANNELS * PITCH];
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int group = lane / 4, member = lane % 4;
  int top = warp % 4 * (TILE / 4), left = warp / 4 * (CHANNELS / 2);
  wide positions = (wide)pooled.height * pooled.width, begin = blockIdx.x * (wide)TILE;
  float sums[HIGH][BROAD][4] = {};
  for (int first = 0; first < CHANNELS; first += DEPTH) {
    bring<TILE, CHANNELS>(x + begin * CHANNELS, positions - begin, first, features);
    // Symmetric: a row of errors is a column, too.
    bring<CHANNELS, CHANNELS>(error, CHANNELS, first, errors);
    __syncthreads();
    for (int k = member; k < WORDS; k += 8) {
      unsigned a[HIGH][4];
#pragma unroll
      for (int m = 0; m < HIGH; ++m) {
        const unsigned *row = features + (top + m * 16 + group) * PITCH + k;
        a[m][0] = row[0], a[m][1] = row[8 * PITCH];
        a[m][2] = row[4], a[m][3] = row[8 * PITCH + 4];
      }
#pragma unroll
      for (int n = 0; n < BROAD; ++n) {
        const unsigned *column = errors + (left + n * 8 + group) * PITCH + k;
        unsigned b[2] = {column[0], column[4]};
#pragma unroll
        for (int m = 0; m < HIGH; ++m) multiply(sums[m][n], a[m], b);
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int m = 0; m < HIGH; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      wide position = begin + top + m * 16 + half * 8 + group;
      if (position >= positions) continue;
      int row = (int)(position / pooled.width), column = (int)(position % pooled.width);
#pragma unroll
      for (int n = 0; n < BROAD; ++n) {
        int c = left + n * 8 + member * 2;
        wide at = position * CHANNELS + c;
        pair seen = *(const pair *)(x + at), all;
        for (int k = 0; k < 2; ++k) {
          float sum = sums[m][n][half * 2 + k];
          if (!masked || widen(seen.at[k]) > 0)
            sum += sent_back(pooled, row, column, c + k, CHANNELS);
          else if (masked == WHOLE)
            sum = 0.0f;
          all.at[k] = narrow(sum);
        }
        *(pair *)(gx + at) = all;
      }
    }
}
#else
// The same by one thread after the other: for the tests, on a processor.
template <int CHANNELS, int TILE>
__device__ inline void tapped(const feature *x, const feature *error, feature *gx,
                              const Pooled &pooled, int masked) {
  wide positions = (wide)pooled.height * pooled.width, begin = blockIdx.x * (wide)TILE;
  for (wide i = threadIdx.x; i < (wide)TILE * CHANNELS; i += THREADS) {
    wide position = begin + i / CHANNELS;
    int c = (int)(i % CHANNELS);
    if (position >= positions) continue;
    const feature *own = x + position * CHANNELS;
    float sum = 0.0f;
    for (int k = 0; k < CHANNELS; ++k)
      sum += widen(own[k]) * widen(error[c * (wide)CHANNELS + k]);
    if (!masked || widen(own[c]) > 0)
      sum += sent_back(pooled, (int)(position / pooled.width),
                       (int)(position % pooled.width), c, CHANNELS);
    else if (masked == WHOLE)
      sum = 0.0f;
    gx[position * CHANNELS + c] = narrow(sum);
  }
}
#endif

extern "C" __global__ void __launch_bounds__(THREADS)
tapped_64(const feature *x, const feature *error, const feature *gy,
          const unsigned char *chosen, feature *gx, int height, int width,
          int y_height, int y_width, int kernel, int kind, int masked) {
  Pooled pooled = {gy, chosen, width, y_height, y_width, height, kernel, kind};
  tapped<64, 128>(x, error, gx, pooled, masked);
}

extern "C" __global__ void __launch_bounds__(THREADS)
tapped_128(const feature *x, const feature *error, const feature *gy,
          const unsigned char *chosen, feature *gx, int height, int width,
          int y_height, int y_width, int kernel, int kind, int masked) {
  Pooled pooled = {gy, chosen, width, y_height, y_width, height, kernel, kind};
  tapped<128, 128>(x, error, gx, pooled, masked);
}

extern "C" __global__ void __launch_bounds__(THREADS)
tapped_256(const feature *x, const feature *error, const feature *gy,
          const unsigned char *chosen, feature *gx, int height, int width,
          int y_height, int y_width, int kernel, int kind, int masked) {
  Pooled pooled = {gy, chosen, width, y_height, y_width, height, kernel, kind};
  tapped<256, 64>(x, error, gx, pooled, masked);
}
