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

struct Tapped {
  const feature *x;
  feature *y;
  unsigned char *chosen;
  int height, width, y_height, y_width, kind, rectified;
  Region own;
};

// Steps of a map: windows by four, one for each member, along the rows. All four are of
// the part of the map that is summed, or none is.
__device__ inline int across(const Tapped &map) { return ((map.width + 1) / 2 + 3) / 4; }
__device__ inline int steps(const Tapped &map) {
  return (map.height + 1) / 2 * across(map);
}

// Where a member's window of a step is, the last step first.
struct Corner {
  int a, b;
  __device__ Corner(const Tapped &map, int step) {
    int at = (int)from_end(step, steps(map));
    a = at / across(map), b = at % across(map) * 4 + (int)threadIdx.x % 4;
  }
  __device__ bool is_inside(const Tapped &map, int place) const {
    return a * 2 + place / 2 < map.height && b * 2 + place % 2 < map.width;
  }
};

// The features of a step on their way through shared memory: for each place, quads of
// all channels, of each a lane's own. A set of warps has them in common, and while it
// uses one step's, the next ones come.
enum { AHEAD = 2, STAGES = AHEAD + 1 };

template <int CHANNELS>
struct Stage {
  enum { QUADS = CHANNELS / 8 / MANY, ALL = WINDOW * QUADS * LANES };
  const quad *own;
  __device__ pack at(int place, int q) const {
    return features_of(own[(place * QUADS + q) * LANES]);
  }
};

template <int CHANNELS, int SET>
__device__ inline void bring(const Tapped &map, quad *stage, Corner corner) {
  enum { QUADS = Stage<CHANNELS>::QUADS, OWN = WINDOW * QUADS / SET };
  int lane = threadIdx.x % LANES, begin = threadIdx.x / LANES % SET * OWN;
#pragma unroll
  for (int i = 0; i < OWN; ++i) {
    int place = (begin + i) / QUADS, q = (begin + i) % QUADS;
    int row = corner.a * 2 + place / 2, column = corner.b * 2 + place % 2;
    bool inside = corner.is_inside(map, place);
    wide position = inside ? row * (wide)map.width + column : 0;
    copy(stage + (begin + i) * LANES + lane,
         map.x + position * CHANNELS + channel_at(q * MANY, lane / 4), inside);
  }
}

// Calls use(corner, stage) for each step of a set.
template <int CHANNELS, int SET, class Use>
__device__ inline void go_through(const Tapped &map, Use use) {
  enum { SETS = WARPS / SET, ALL = Stage<CHANNELS>::ALL };
  int lane = threadIdx.x % LANES, set = threadIdx.x / LANES / SET;
  quad *ring = shared + set * STAGES * ALL;
  int stride = gridDim.x * SETS, step = blockIdx.x * SETS + set, next = step, to = 0;
  auto send = [&] {
    if (next < steps(map))
      bring<CHANNELS, SET>(map, ring + to * ALL, Corner(map, next));
    end_copies();
    next += stride, to = to == AHEAD ? 0 : to + 1;
  };
  for (int i = 0; i < AHEAD; ++i) send();
  for (int from = 0; step < steps(map); step += stride) {
    await_copies_but<AHEAD - 1>();
    if (SET == 1)
      __syncwarp();
    else
      meet();
    send();  // to where all have read
    use(Corner(map, step), Stage<CHANNELS>{ring + from * ALL + lane});
    from = from == AHEAD ? 0 : from + 1;
  }
}

// What a lane's windows are pooled to, from its quad `first` on, and which places were
// chosen: of 64 channels.
template <int CHANNELS>
__device__ inline void reduce(const Tapped &map, Corner corner, Stage<CHANNELS> stage,
                              int first) {
  if (corner.a >= map.y_height || corner.b >= map.y_width) return;
  wide to = ((wide)corner.a * map.y_width + corner.b) * CHANNELS;
  float share = 1.0f / (covered(corner.a, map.height, 2, 2, 0) *
                        covered(corner.b, map.width, 2, 2, 0));
#pragma unroll
  for (int q = first; q < first + 8 / MANY; ++q) {
    pack seen[WINDOW], all;
    places which;
#pragma unroll
    for (int place = 0; place < WINDOW; ++place) seen[place] = stage.at(place, q);
#pragma unroll
    for (int k = 0; k < MANY; ++k) {
      float found = map.kind == MAXIMUM ? LEAST : 0.0f;
      which.at[k] = 0;
#pragma unroll
      for (int place = 0; place < WINDOW; ++place) {
        float value = widen(seen[place].at[k]);
        if (map.rectified && !(value > 0)) value = 0.0f;
        if (map.kind == AVERAGE) {
          found += value;
        } else if (corner.is_inside(map, place) && value > found) {
          found = value;
          which.at[k] = (unsigned char)place;
        }
      }
      all.at[k] = narrow(map.kind == AVERAGE ? found * share : found);
    }
    wide own = to + channel_at(q * MANY, threadIdx.x % LANES / 4);
    *(pack *)(map.y + own) = all;
    if (map.kind == MAXIMUM) *(places *)(map.chosen + own) = which;
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

// The words of some elements of a lane's, for one of the steps in which windows are
// summed: from the element `AT` of its quad `first` on.
enum { BESIDE = 4 / sizeof(feature), STEPS = 2 / BESIDE };

template <int AT, int ELEMENTS, int CHANNELS>
__device__ inline void split(unsigned (&words)[2][ELEMENTS], Stage<CHANNELS> stage,
                             int step, int first) {
  enum { OF_QUAD = ELEMENTS < MANY ? ELEMENTS : MANY };
#pragma unroll
  for (int q = 0; q < ELEMENTS / OF_QUAD; ++q)
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      int place = (step * 2 + k) * BESIDE;
      pack one = stage.at(place, first + q), next = stage.at(place + BESIDE - 1, first + q);
#pragma unroll
      for (int e = 0; e < OF_QUAD; ++e)
        words[k][q * OF_QUAD + e] = word_of(one.at[AT + e], next.at[AT + e]);
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
__device__ inline float *part_of_block(int part) {
  return (float *)shared + part * SIDE * PITCH;
}

// first: which element the first column is of.
template <class Own, int COLUMNS>
__device__ inline void give(float *part, const Sums &sums, int first, bool adding) {
  int group = threadIdx.x % LANES / 4, member = threadIdx.x % 4;
#pragma unroll
  for (int m = 0; m < 4; ++m)
#pragma unroll
    for (int n = Own::begin(m); n < COLUMNS; ++n)
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        if (Own::IS_UPPER && 2 * m + k / 2 > n) continue;
        int row = channel_at(2 * m + k / 2, group);
        float &to = part[row * PITCH + channel_at(first + n, member * 2 + k % 2)];
        float sum = sums[Own::tile(m, n)][k];
        to = adding ? to + sum : sum;
      }
}

// Writes a part to a matrix, the sum of some, and its transpose to the other side of
// the diagonal.
template <int COUNT>
__device__ inline void leave(const float *parts, float *gram, int channels, int row,
                             int column) {
  for (int i = threadIdx.x; i < SIDE * SIDE; i += THREADS) {
    int r = i / SIDE, c = i % SIDE;
    bool turned = row == column && element_of(r) > element_of(c);
    int at = turned ? c * PITCH + r : r * PITCH + c;
    float sum = parts[at];
#pragma unroll
    for (int part = 1; part < COUNT; ++part) sum += parts[part * SIDE * PITCH + at];
    gram[(row + r) * channels + column + c] = sum;
    if (row != column) gram[(column + c) * channels + row + r] = sum;
  }
}

__device__ inline bool is_own(const Tapped &map, Corner corner) {
  return map.own.has(2 * corner.a, 2 * (corner.b - (int)threadIdx.x % 4));
}

// The part on the diagonal from a quad on, and the pooling of these channels.
template <int CHANNELS, int SET>
__device__ inline void diagonal(Sums &sums, const Tapped &map, int first) {
  go_through<CHANNELS, SET>(map, [&](Corner corner, Stage<CHANNELS> stage) {
    reduce(map, corner, stage, first);
    if (!is_own(map, corner)) return;
#pragma unroll
    for (int i = 0; i < STEPS; ++i) {
      unsigned words[2][8];
      split<0>(words, stage, i, first);
      add<Diagonal>(sums, words, words);
    }
  });
}

// Half of the part of the first 64 channels by the second, from element `first` on.
template <int CHANNELS, int SET>
__device__ inline void beside(Sums &sums, const Tapped &map, int first) {
  go_through<CHANNELS, SET>(map, [&](Corner corner, Stage<CHANNELS> stage) {
    if (!is_own(map, corner)) return;
#pragma unroll
    for (int i = 0; i < STEPS; ++i) {
      unsigned words[2][8], others[2][4];
      split<0>(words, stage, i, 0);
      int quad = (8 + first) / MANY;
      if (first % MANY)
        split<4 % MANY>(others, stage, i, quad);
      else
        split<0>(others, stage, i, quad);
      add<Beside>(sums, words, others);
    }
  });
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
  diagonal<64, 1>(sums, map, 0);
  __syncthreads();
  enum { COUNT = 4 };
  for (int turn = 0; turn < WARPS / COUNT; ++turn) {
    if (warp / COUNT == turn)
      give<Diagonal, 8>(part_of_block(warp % COUNT), sums, 0, turn > 0);
    __syncthreads();
  }
  leave<COUNT>(part_of_block(0), parts + blockIdx.x * (wide)(64 * 64), 64, 0, 0);
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
  float *own = parts + blockIdx.x * (wide)(128 * 128);
  Sums sums = {};
  if (role < 2)
    diagonal<128, 4>(sums, map, role * 8 / MANY);
  else
    beside<128, 4>(sums, map, (role - 2) * 4);
  __syncthreads();
  for (int turn = 0; turn < SETS; ++turn) {
    if (set == turn && role < 2)
      give<Diagonal, 8>(part_of_block(role), sums, 0, turn > 0);
    else if (set == turn)
      give<Beside, 4>(part_of_block(2), sums, (role - 2) * 4, turn > 0);
    __syncthreads();
  }
  leave<1>(part_of_block(0), own, 128, 0, 0);
  leave<1>(part_of_block(1), own, 128, SIDE, SIDE);
  leave<1>(part_of_block(2), own, 128, 0, SIDE);
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
