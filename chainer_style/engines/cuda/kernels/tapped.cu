// The gradient at a tap that a pooling without overlap reads: features times what their
// Gram matrix is off by, what the content loss wants, and what the pooling sends back;
// of these, what the mask lets through (see unpool), rounded to what matrix units read,
// because wgmma would cut it off instead (conv_64_back). One pass through the map
// instead of three: such maps are the largest.
//
// A block holds the errors of BROAD channels, from which its warps compute 16 positions
// each, again and again.

struct Pooled {
  const feature *gy;
  const unsigned char *chosen;
  int height, width, y_height, y_width, kernel, kind;
};

// The positions of which there are losses, and the content's features there.
struct Wanted {
  Region own;
  const feature *content;
  float slope;
};

struct alignas(MANY) places {
  unsigned char at[MANY];
};

// What a position of the pooling's input gets back: of which place in gy, and how much.
struct Share {
  wide at;
  float factor;
  int place;
};

__device__ inline Share share_of(const Pooled &p, int row, int column, int channels) {
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

// The sum of all gradients, or what is left of it where the feature is not above zero.
__device__ inline float joined(float sum, float back, float seen, int masked) {
  if (!masked || seen > 0) return sum + back;
  return masked == WHOLE ? 0.0f : sum;
}

// Errors as columns of mma, each lane's words of two products beside each other.
// Symmetric: a row is a column, too.
template <int CHANNELS, int BROAD>
__device__ inline void bring(const feature *error, int left) {
  enum { QUADS = CHANNELS / 4 / MANY };
  for (int i = threadIdx.x; i < BROAD / 8 * QUADS * LANES; i += THREADS) {
    int lane = i % LANES, q = i / LANES % QUADS, j = i / LANES / QUADS;
    wide row = left + column_of(j, lane / 4);
    const feature *own = error + row * CHANNELS + channel_of(lane % 4, q * MANY);
    shared[i] = rounded(*(const quad *)own);
  }
  __syncthreads();
}

// What a lane has of one position, whose sums are those of a half of `sums`, completed.
// Returns the squares of what the content is off by.
template <int CHANNELS, int BROAD>
__device__ inline float finish(const feature *__restrict__ x, feature *__restrict__ gx,
                               const Pooled &pooled, const Wanted &wanted, int masked,
                               wide position, int left, const float (*sums)[4],
                               int half) {
  enum { QUADS = BROAD / 4 / MANY, BATCH = QUADS < 4 ? QUADS : 4 };
  int member = threadIdx.x % 4;
  int row = (int)(position / pooled.width), column = (int)(position % pooled.width);
  bool counts = wanted.own.has(row, column);
  const feature *content = 0;
  if (counts && wanted.content)
    content = wanted.content + wanted.own.index(row, column) * CHANNELS + left;
  Share share = share_of(pooled, row, column, CHANNELS);
  wide own = position * CHANNELS + left, given = share.at + left;
  float total = 0.0f;
  // All loads of a batch are on their way before the first is waited for.
#pragma unroll
  for (int first = 0; first < QUADS; first += BATCH) {
    pack seen[BATCH], back[BATCH], goal[BATCH];
    places chosen[BATCH];
#pragma unroll
    for (int q = 0; q < BATCH; ++q) {
      int c = channel_of(member, (first + q) * MANY);
      seen[q] = *(const pack *)(x + own + c);
      back[q] = *(const pack *)(pooled.gy + given + c);
      if (content) goal[q] = *(const pack *)(content + c);
      if (pooled.kind == MAXIMUM)
        chosen[q] = *(const places *)(pooled.chosen + given + c);
    }
#pragma unroll
    for (int q = 0; q < BATCH; ++q) {
      pack all;
#pragma unroll
      for (int k = 0; k < MANY; ++k) {
        int element = (first + q) * MANY + k;
        float sum = counts ? sums[element / 2][half * 2 + element % 2] : 0.0f;
        float value = widen(seen[q].at[k]), factor = share.factor;
        if (content) {
          float off = value - widen(goal[q].at[k]);
          total += off * off;
          sum += wanted.slope * off;
        }
        if (pooled.kind == MAXIMUM && chosen[q].at[k] != share.place) factor = 0.0f;
        all.at[k] = narrow(joined(sum, factor * widen(back[q].at[k]), value, masked));
      }
      *(quad *)(gx + own + channel_of(member, (first + q) * MANY)) =
          rounded(words_of(all));
    }
  }
  return total;
}

template <int CHANNELS, int BROAD>
__device__ inline void tapped(const feature *__restrict__ x,
                              const feature *__restrict__ error,
                              feature *__restrict__ gx, const Pooled &pooled,
                              const Wanted &wanted, float *partial, int masked) {
  // Of a lane's quads of a position, so many are loaded at once.
  enum { PARTS = CHANNELS / BROAD, QUADS = CHANNELS / 4 / MANY, DEPTH = 16 / MANY };
  int warp = threadIdx.x / LANES, lane = threadIdx.x % LANES;
  int left = blockIdx.x % PARTS * BROAD;
  wide last = (wide)pooled.height * pooled.width - 1;
  wide turn = (wide)(blockIdx.x / PARTS) * WARPS + warp;
  wide stride = (wide)(gridDim.x / PARTS) * WARPS;
  float total = 0.0f;
  bring<CHANNELS, BROAD>(error, left);
  wide turns = last / 16 + 1;
  for (; turn < turns; turn += stride) {
    wide above = from_end(turn, turns) * 16 + lane / 4, below = above + 8;
    // What is beyond the last position is computed, and not kept.
    const feature *high = x + (above < last ? above : last) * CHANNELS;
    const feature *low = x + (below < last ? below : last) * CHANNELS;
    float sums[BROAD / 8][4] = {};
#pragma unroll 1
    for (int first = 0; first < QUADS; first += DEPTH) {
      quad a[2][DEPTH];
#pragma unroll
      for (int q = 0; q < DEPTH; ++q) {
        int c = channel_of(lane % 4, (first + q) * MANY);
        a[0][q] = *(const quad *)(high + c), a[1][q] = *(const quad *)(low + c);
      }
#pragma unroll
      for (int q = 0; q < DEPTH; ++q) {
        quad up = rounded(a[0][q]), down = rounded(a[1][q]);
#pragma unroll
        for (int j = 0; j < BROAD / 8; ++j)
          multiply(sums[j], up, down, shared[(j * QUADS + first + q) * LANES + lane]);
      }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      wide position = above + half * 8;
      if (position <= last)
        total += finish<CHANNELS, BROAD>(x, gx, pooled, wanted, masked, position, left,
                                         sums, half);
    }
  }
  if (wanted.content) add_up(total, partial);
}

// As many blocks for each part of the channels; each shares BROAD * CHANNELS features.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
tapped_64(const feature *__restrict__ x, const feature *__restrict__ error,
          const feature *__restrict__ gy, const unsigned char *__restrict__ chosen,
          const feature *__restrict__ content, feature *__restrict__ gx, float *partial,
          int height, int width, int y_height, int y_width, int kernel, int kind,
          int top, int left, int bottom, int right, float slope, int masked) {
  Pooled pooled = {gy, chosen, height, width, y_height, y_width, kernel, kind};
  Wanted wanted = {{top, left, bottom, right}, content, slope};
  tapped<64, 64>(x, error, gx, pooled, wanted, partial, masked);
}

extern "C" __global__ void __launch_bounds__(THREADS, 2)
tapped_128(const feature *__restrict__ x, const feature *__restrict__ error,
           const feature *__restrict__ gy, const unsigned char *__restrict__ chosen,
           const feature *__restrict__ content, feature *__restrict__ gx, float *partial,
           int height, int width, int y_height, int y_width, int kernel, int kind,
           int top, int left, int bottom, int right, float slope, int masked) {
  Pooled pooled = {gy, chosen, height, width, y_height, y_width, kernel, kind};
  Wanted wanted = {{top, left, bottom, right}, content, slope};
  tapped<128, 64>(x, error, gx, pooled, wanted, partial, masked);
}

extern "C" __global__ void __launch_bounds__(THREADS, 2)
tapped_256(const feature *__restrict__ x, const feature *__restrict__ error,
           const feature *__restrict__ gy, const unsigned char *__restrict__ chosen,
           const feature *__restrict__ content, feature *__restrict__ gx, float *partial,
           int height, int width, int y_height, int y_width, int kernel, int kind,
           int top, int left, int bottom, int right, float slope, int masked) {
  Pooled pooled = {gy, chosen, height, width, y_height, y_width, kernel, kind};
  Wanted wanted = {{top, left, bottom, right}, content, slope};
  tapped<256, 64>(x, error, gx, pooled, wanted, partial, masked);
}
