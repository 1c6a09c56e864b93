// The gradient at a tap that a pooling without overlap reads: features times what their
// Gram matrix is off by, and what the pooling sends back; of these, what the mask lets
// through (see unpool). One pass through the map instead of two: such maps are the
// largest.
//
// A block computes TILE positions of all CHANNELS, by matrix units (mma of PTX, sm_80).
// Features and errors come through shared memory, DEPTH channels at once, as words of
// 32 bits: a float rounded to TF32, or two halves.

enum { WORDS = 32, PITCH = WORDS + 4 };  // the padding spreads rows over all banks
enum { DEPTH = WORDS * 4 / sizeof(feature) };

struct Pooled {
  const feature *gy;
  const unsigned char *chosen;
  int height, width, y_height, y_width, kernel, kind;
};

// What a position of the pooling's input gets back: of which place in gy, and how much.
struct Share {
  wide at;
  float factor;
  int place;
};

__device__ inline Share share_of(const Pooled &p, wide position, int channels) {
  int row = (int)(position / p.width), column = (int)(position % p.width);
  int a = row / p.kernel, b = column / p.kernel;
  Share share = {0, 0.0f, 0};
  if (a >= p.y_height || b >= p.y_width) return share;
  share.at = ((wide)a * p.y_width + b) * channels;
  share.place = (row - a * p.kernel) * p.kernel + column - b * p.kernel;
  share.factor = p.kind == MAXIMUM
                     ? 1.0f
                     : 1.0f / (covered(a, p.height, p.kernel, p.kernel, 0) *
                               covered(b, p.width, p.kernel, p.kernel, 0));
  return share;
}

// The sum of both gradients, or what is left of it where the feature is not above zero.
__device__ inline float joined(float sum, float back, float seen, int masked) {
  if (!masked || seen > 0) return sum + back;
  return masked == WHOLE ? 0.0f : sum;
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
__device__ inline void tapped(const feature *__restrict__ x,
                              const feature *__restrict__ error,
                              feature *__restrict__ gx, const Pooled &pooled,
                              int masked) {
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
      Share share = share_of(pooled, position, CHANNELS);
      int c = left + member * 2;
      const pair *own = (const pair *)(x + position * CHANNELS + c);
      const pair *given = (const pair *)(pooled.gy + share.at + c);
      const uchar2 *chosen = (const uchar2 *)(pooled.chosen + share.at + c);
      pair *made = (pair *)(gx + position * CHANNELS + c);
      // All loads of a batch are on their way before the first is waited for.
#pragma unroll
      for (int first = 0; first < BROAD; first += 4) {
        pair seen[4], back[4], all;
        uchar2 places[4];
#pragma unroll
        for (int n = 0; n < 4; ++n) {
          seen[n] = own[(first + n) * 4], back[n] = given[(first + n) * 4];
          if (pooled.kind == MAXIMUM) places[n] = chosen[(first + n) * 4];
        }
#pragma unroll
        for (int n = 0; n < 4; ++n) {
          float factors[2] = {share.factor, share.factor};
          if (pooled.kind == MAXIMUM) {
            if (places[n].x != share.place) factors[0] = 0.0f;
            if (places[n].y != share.place) factors[1] = 0.0f;
          }
#pragma unroll
          for (int k = 0; k < 2; ++k) {
            float sum = sums[m][first + n][half * 2 + k];
            float slope = factors[k] * widen(back[n].at[k]);
            all.at[k] = narrow(joined(sum, slope, widen(seen[n].at[k]), masked));
          }
          made[(first + n) * 4] = all;
        }
      }
    }
}
#else
// The same by one thread after the other: for the tests, on a processor.
template <int CHANNELS, int TILE>
__device__ inline void tapped(const feature *__restrict__ x,
                              const feature *__restrict__ error,
                              feature *__restrict__ gx, const Pooled &pooled,
                              int masked) {
  wide positions = (wide)pooled.height * pooled.width, begin = blockIdx.x * (wide)TILE;
  for (wide i = threadIdx.x; i < (wide)TILE * CHANNELS; i += THREADS) {
    wide position = begin + i / CHANNELS;
    int c = (int)(i % CHANNELS);
    if (position >= positions) continue;
    const feature *own = x + position * CHANNELS;
    float sum = 0.0f;
    for (int k = 0; k < CHANNELS; ++k)
      sum += widen(own[k]) * widen(error[c * (wide)CHANNELS + k]);
    Share share = share_of(pooled, position, CHANNELS);
    if (pooled.kind == MAXIMUM && pooled.chosen[share.at + c] != share.place)
      share.factor = 0.0f;
    float back = share.factor * widen(pooled.gy[share.at + c]);
    sum = joined(sum, back, widen(own[c]), masked);
    gx[position * CHANNELS + c] = narrow(sum);
  }
}
#endif

extern "C" __global__ void __launch_bounds__(THREADS)
tapped_64(const feature *__restrict__ x, const feature *__restrict__ error,
          const feature *__restrict__ gy, const unsigned char *__restrict__ chosen,
          feature *__restrict__ gx, int height, int width,
          int y_height, int y_width, int kernel, int kind, int masked) {
  Pooled pooled = {gy, chosen, height, width, y_height, y_width, kernel, kind};
  tapped<64, 128>(x, error, gx, pooled, masked);
}

extern "C" __global__ void __launch_bounds__(THREADS)
tapped_128(const feature *__restrict__ x, const feature *__restrict__ error,
          const feature *__restrict__ gy, const unsigned char *__restrict__ chosen,
          feature *__restrict__ gx, int height, int width,
          int y_height, int y_width, int kernel, int kind, int masked) {
  Pooled pooled = {gy, chosen, height, width, y_height, y_width, kernel, kind};
  tapped<128, 128>(x, error, gx, pooled, masked);
}

extern "C" __global__ void __launch_bounds__(THREADS)
tapped_256(const feature *__restrict__ x, const feature *__restrict__ error,
          const feature *__restrict__ gy, const unsigned char *__restrict__ chosen,
          feature *__restrict__ gx, int height, int width,
          int y_height, int y_width, int kernel, int kind, int masked) {
  Pooled pooled = {gy, chosen, height, width, y_height, y_width, kernel, kind};
  tapped<256, 64>(x, error, gx, pooled, masked);
}
