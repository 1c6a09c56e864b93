// The Gram matrix of a tap and the pooling that reads it, in one pass through the map.
//
// Along the sum lie positions: each member of a group has a window of two times two of
// its own, of which a group's lanes have some channels each. These are both factors.

enum { WINDOW = 4 };

// The channel of a lane's element: a pack's, or of one as far behind all the others'.
__device__ inline int channel_at(int element, int group) {
  return (element / MANY * 8 + group) * MANY + element % MANY;
}

// Which element of its lane a channel is.
__device__ inline int element_of(int channel) {
  return channel / MANY / 8 * MANY + channel % MANY;
}

// A window of a map, of some of its channels, as far as it is inside.
template <int PACKS>
struct Window {
  pack at[WINDOW][PACKS];
  bool inside[WINDOW];
};

template <int CHANNELS, int PACKS>
__device__ inline void look(Window<PACKS> &window, const feature *x, int height,
                            int width, int a, int b) {
  int group = threadIdx.x % LANES / 4;
#pragma unroll
  for (int place = 0; place < WINDOW; ++place) {
    int row = a * 2 + place / 2, column = b * 2 + place % 2;
    window.inside[place] = row < height && column < width;
    const feature *own = x + (row * (wide)width + column) * CHANNELS;
#pragma unroll
    for (int p = 0; p < PACKS; ++p)
      if (window.inside[place]) {
        window.at[place][p] = *(const pack *)(own + channel_at(p * MANY, group));
      } else {
#pragma unroll
        for (int k = 0; k < MANY; ++k) window.at[place][p].at[k] = narrow(0.0f);
      }
  }
}

// What a window is pooled to, and which places were chosen.
template <int PACKS>
__device__ inline void reduce(const Window<PACKS> &window, feature *y,
                              unsigned char *chosen, float share, int kind,
                              int rectified) {
#pragma unroll
  for (int p = 0; p < PACKS; ++p) {
    pack all;
    places which;
#pragma unroll
    for (int k = 0; k < MANY; ++k) {
      float found = kind == MAXIMUM ? LEAST : 0.0f;
      which.at[k] = 0;
#pragma unroll
      for (int place = 0; place < WINDOW; ++place) {
        float value = widen(window.at[place][p].at[k]);
        if (rectified && !(value > 0)) value = 0.0f;
        if (kind == AVERAGE) {
          found += value;
        } else if (window.inside[place] && value > found) {
          found = value;
          which.at[k] = (unsigned char)place;
        }
      }
      all.at[k] = narrow(kind == AVERAGE ? found * share : found);
    }
    *(pack *)(y + p * 8 * MANY) = all;
    if (kind == MAXIMUM) *(places *)(chosen + p * 8 * MANY) = which;
  }
}

// A word of mma: an element of one place, or of two beside each other.
__device__ inline unsigned word_of(feature one, feature next) {
#if FEATURE == 32
  (void)next;
  pack all = {{one}};
  return rounded(words_of(all).at[0]);
#else
  return one.bits | (unsigned)next.bits << 16;
#endif
}

// The words of some elements of a window, for one of the steps in which it is summed.
enum { BESIDE = 4 / sizeof(feature), STEPS = 2 / BESIDE };

template <int ELEMENTS, int PACKS>
__device__ inline void split(unsigned (&words)[2][ELEMENTS], const Window<PACKS> &window,
                             int step, int first) {
#pragma unroll
  for (int i = 0; i < ELEMENTS; ++i)
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      int place = (step * 2 + k) * BESIDE, p = (first + i) / MANY, at = (first + i) % MANY;
      words[k][i] = word_of(window.at[place][p].at[at],
                            window.at[place + BESIDE - 1][p].at[at]);
    }
}

// Tiles of a Gram matrix, of 16 rows and 8 columns: rows of tile m are the elements 2 m
// and 2 m + 1, columns of n the element n. All of them, or those above the diagonal.
template <int ROWS, int COLUMNS, bool UPPER>
struct Tiles {
  enum { IS_UPPER = UPPER };
  enum { COUNT = UPPER ? ROWS / 2 * (ROWS / 2 + 1) : ROWS / 2 * COLUMNS };
  __device__ static constexpr int begin(int m) { return UPPER ? 2 * m : 0; }
  __device__ static constexpr int tile(int m, int n) {
    return UPPER ? m * (ROWS + 1 - m) + n - 2 * m : m * COLUMNS + n;
  }
};
typedef Tiles<8, 8, true> Diagonal;
typedef Tiles<8, 4, false> Beside;

// Of either; no warp has both.
typedef float Sums[Diagonal::COUNT][4];

template <class Own, int ROWS, int COLUMNS>
__device__ inline void add(Sums &sums, const unsigned (&rows)[2][ROWS],
                           const unsigned (&columns)[2][COLUMNS]) {
#pragma unroll
  for (int m = 0; m < ROWS / 2; ++m)
#pragma unroll
    for (int n = Own::begin(m); n < COLUMNS; ++n)
      multiply(sums[Own::tile(m, n)], rows[0][2 * m], rows[0][2 * m + 1],
               rows[1][2 * m], rows[1][2 * m + 1], columns[0][n], columns[1][n]);
}

// A part of a Gram matrix, of 64 channels by 64, which some warps of a block have sums
// of; they add theirs in turns, and so the order of additions is fixed.
enum { SIDE = 64, PITCH = SIDE + 1 };
__device__ inline float *part_of_block() {
  __shared__ float part[SIDE * PITCH];
  return part;
}

// first: which element the first column is of.
template <class Own, int COLUMNS>
__device__ inline void give(const Sums &sums, int first, bool adding) {
  int group = threadIdx.x % LANES / 4, member = threadIdx.x % 4;
#pragma unroll
  for (int m = 0; m < 4; ++m)
#pragma unroll
    for (int n = Own::begin(m); n < COLUMNS; ++n)
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        if (Own::IS_UPPER && 2 * m + k / 2 > n) continue;
        int row = channel_at(2 * m + k / 2, group);
        float &to = part_of_block()[row * PITCH +
                                    channel_at(first + n, member * 2 + k % 2)];
        float sum = sums[Own::tile(m, n)][k];
        to = adding ? to + sum : sum;
      }
}

// Writes a part to a matrix, and its transpose to the other side of the diagonal.
__device__ inline void leave(float *gram, int channels, int row, int column) {
  for (int i = threadIdx.x; i < SIDE * SIDE; i += THREADS) {
    int r = i / SIDE, c = i % SIDE;
    bool turned = row == column && element_of(r) > element_of(c);
    float sum = part_of_block()[turned ? c * PITCH + r : r * PITCH + c];
    gram[(row + r) * channels + column + c] = sum;
    if (row != column) gram[(column + c) * channels + row + r] = sum;
  }
}

struct Tapped {
  const feature *x;
  feature *y;
  unsigned char *chosen;
  int height, width, y_height, y_width, kind, rectified;
  Region own;
};

// Windows by four, one for each member, along the rows. All four are of the part of the
// map that is summed, or none is.
__device__ inline int across(const Tapped &map) { return ((map.width + 1) / 2 + 3) / 4; }
__device__ inline int steps(const Tapped &map) {
  return (map.height + 1) / 2 * across(map);
}

__device__ inline bool is_own(const Tapped &map, int a, int b) {
  return map.own.has(2 * a, 2 * (b - (int)threadIdx.x % 4));
}

// The part on the diagonal from channel `first` on, and the pooling of these channels.
template <int CHANNELS>
__device__ inline void diagonal(Sums &sums, const Tapped &map, int first,
                                int step, int stride) {
  int member = threadIdx.x % 4, group = threadIdx.x % LANES / 4;
  for (; step < steps(map); step += stride) {
    int at = (int)from_end(step, steps(map));
    int a = at / across(map), b = at % across(map) * 4 + member;
    Window<8 / MANY> window;
    look<CHANNELS>(window, map.x + first, map.height, map.width, a, b);
    if (a < map.y_height && b < map.y_width) {
      wide to = ((wide)a * map.y_width + b) * CHANNELS + first + channel_at(0, group);
      float share =
          1.0f / (covered(a, map.height, 2, 2, 0) * covered(b, map.width, 2, 2, 0));
      reduce(window, map.y + to, map.chosen + to, share, map.kind, map.rectified);
    }
    if (!is_own(map, a, b)) continue;
#pragma unroll
    for (int i = 0; i < STEPS; ++i) {
      unsigned words[2][8];
      split(words, window, i, 0);
      add<Diagonal>(sums, words, words);
    }
  }
}

// Half of the part of the first 64 channels by the second, from element `first` on.
template <int CHANNELS>
__device__ inline void beside(Sums &sums, const Tapped &map, int first,
                              int step, int stride) {
  for (; step < steps(map); step += stride) {
    int at = (int)from_end(step, steps(map));
    int a = at / across(map), b = at % across(map) * 4 + (int)threadIdx.x % 4;
    if (!is_own(map, a, b)) continue;
    Window<8 / MANY> rows;
    Window<1> columns;
    look<CHANNELS>(rows, map.x, map.height, map.width, a, b);
    look<CHANNELS>(columns, map.x + SIDE + first / MANY * 8 * MANY, map.height,
                   map.width, a, b);
#pragma unroll
    for (int i = 0; i < STEPS; ++i) {
      unsigned words[2][8], others[2][4];
      split(words, rows, i, 0);
      if (first % MANY)
        split(others, columns, i, 4 % MANY);
      else
        split(others, columns, i, 0);
      add<Beside>(sums, words, others);
    }
  }
}

extern "C" __global__ void __launch_bounds__(THREADS, 2)
gram_64(const feature *__restrict__ x, feature *__restrict__ y,
        unsigned char *__restrict__ chosen, float *__restrict__ parts, int height,
        int width, int y_height, int y_width, int kind, int rectified, int top,
        int left, int bottom, int right) {
  Tapped map = {x,       y,    chosen,    height, width,
                y_height, y_width, kind, rectified, {top, left, bottom, right}};
  int warp = threadIdx.x / LANES;
  Sums sums = {};
  diagonal<64>(sums, map, 0, blockIdx.x * WARPS + warp, gridDim.x * WARPS);
  for (int turn = 0; turn < WARPS; ++turn) {
    if (warp == turn) give<Diagonal, 8>(sums, 0, turn > 0);
    __syncthreads();
  }
  leave(parts + blockIdx.x * (wide)(64 * 64), 64, 0, 0);
}

// Of four warps, two have the parts on the diagonal, and two what is above it.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
gram_128(const feature *__restrict__ x, feature *__restrict__ y,
         unsigned char *__restrict__ chosen, float *__restrict__ parts, int height,
         int width, int y_height, int y_width, int kind, int rectified, int top,
         int left, int bottom, int right) {
  Tapped map = {x,       y,    chosen,    height, width,
                y_height, y_width, kind, rectified, {top, left, bottom, right}};
  enum { SETS = WARPS / 4 };
  int role = threadIdx.x / LANES % 4, set = threadIdx.x / LANES / 4;
  int step = blockIdx.x * SETS + set, stride = gridDim.x * SETS;
  float *own = parts + blockIdx.x * (wide)(128 * 128);
  Sums sums = {};
  if (role < 2)
    diagonal<128>(sums, map, role * SIDE, step, stride);
  else
    beside<128>(sums, map, (role - 2) * 4, step, stride);
  for (int part = 0; part < 3; ++part) {
    for (int turn = 0; turn < SETS; ++turn) {
      if (set == turn && role == part && part < 2)
        give<Diagonal, 8>(sums, 0, turn > 0);
      if (set == turn && role >= 2 && part == 2)
        give<Beside, 4>(sums, (role - 2) * 4, turn > 0);
      __syncthreads();
    }
    leave(own, 128, part == 1 ? SIDE : 0, part ? SIDE : 0);
    __syncthreads();
  }
}

// Adds up what blocks left of a matrix, and what was there if asked to.
extern "C" __global__ void gather(const float *__restrict__ partial,
                                  float *__restrict__ gram, int count, int parts,
                                  int adding) {
  __shared__ float sums[WARPS][LANES];
  int turn = threadIdx.x / LANES, lane = threadIdx.x % LANES;
  for (int first = blockIdx.x * LANES; first < count; first += gridDim.x * LANES) {
    float sum = 0.0f;
    if (first + lane < count)
      for (int part = turn; part < parts; part += WARPS)
        sum += partial[part * (wide)count + first + lane];
    sums[turn][lane] = sum;
    __syncthreads();
    for (int other = 1; turn == 0 && other < WARPS; ++other) sum += sums[other][lane];
    if (turn == 0 && first + lane < count)
      gram[first + lane] = adding ? gram[first + lane] + sum : sum;
    __syncthreads();
  }
}
