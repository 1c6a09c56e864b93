// The first convolution of a network, of a picture's planes: three times three places,
// 64 channels. What it reads and sends back is small beside its map, through which
// these go once, and a picture of eight channels in memory is not needed.
//
// Sixteen positions of a row, or 64 channels of sixteen, are rows of mma.

enum { OUT = 64, TAPS = 9, DEPTH = 8 };  // DEPTH: channels of a picture in memory

// What a lane sees of a plane: the taps of two positions of a row.
struct Seen {
  float at[2][TAPS];
};

__device__ inline void look(Seen &seen, const float *plane, int height, int width,
                            int row, int left) {
#pragma unroll
  for (int half = 0; half < 2; ++half)
#pragma unroll
    for (int tap = 0; tap < TAPS; ++tap) {
      int r = row + tap / 3 - 1;
      int c = left + (int)(threadIdx.x % LANES) / 4 + half * 8 + tap % 3 - 1;
      bool inside = r >= 0 && r < height && c >= 0 && c < width;
      seen.at[half][tap] = inside ? plane[r * (wide)width + c] : 0.0f;
    }
}

// y = W x + b, rectified if asked to, and rounded to what matrix units read, because
// wgmma would cut it off instead (conv_64). signs keeps which of it is above zero, a bit of
// 16 for each element of a member. The first kernel of an iteration: it also moves the
// counter that tells where losses and rates are.
//
// Along the sum lie, for each plane, whose lanes are one member, the nine taps.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
first(const float *__restrict__ picture, const feature *__restrict__ filters,
      const float *__restrict__ bias, feature *__restrict__ y,
      unsigned short *__restrict__ signs, int *counter, int height, int width,
      int rectified) {
  enum { QUADS = (TAPS + MANY - 1) / MANY, OWN = OUT / 4 };
  __shared__ quad columns[OUT / 8 * QUADS * LANES];
  for (int i = threadIdx.x; i < OUT / 8 * QUADS * LANES; i += THREADS) {
    int lane = i % LANES, q = i / LANES % QUADS, j = i / LANES / QUADS;
    const feature *own = filters + column_of(j, lane / 4) * TAPS * DEPTH + lane % 4;
    pack all;
    for (int k = 0; k < MANY; ++k) {
      int tap = q * MANY + k;
      all.at[k] = tap < TAPS ? own[tap * DEPTH] : narrow(0.0f);
    }
    columns[i] = rounded(words_of(all));
  }
  __shared__ float shift[OUT];
  if (threadIdx.x < OUT) shift[threadIdx.x] = bias[threadIdx.x];
  if (blockIdx.x == 0 && threadIdx.x == 0) counter[0] += 1;
  __syncthreads();
  int lane = threadIdx.x % LANES, member = lane % 4;
  int across = (width + 15) / 16, tiles = across * height, stride = gridDim.x * WARPS;
  // The fourth member's filters are zero.
  const float *plane = picture + (member < 3 ? member : 0) * ((wide)height * width);
  int tile = blockIdx.x * WARPS + threadIdx.x / LANES;
  Seen next;
  if (tile < tiles) look(next, plane, height, width, tile / across, tile % across * 16);
  for (; tile < tiles; tile += stride) {
    int row = tile / across, left = tile % across * 16 + lane / 4;
    quad a[2][QUADS];
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int q = 0; q < QUADS; ++q) {
        pack all;
#pragma unroll
        for (int k = 0; k < MANY; ++k) {
          int tap = q * MANY + k;
          all.at[k] = narrow(tap < TAPS ? next.at[half][tap] : 0.0f);
        }
        a[half][q] = rounded(words_of(all));
      }
    // It is on its way while this one is multiplied and written.
    int then = tile + stride;
    if (then < tiles) look(next, plane, height, width, then / across, then % across * 16);
    float sums[OUT / 8][4];
#pragma unroll
    for (int j = 0; j < OUT / 8; ++j) {
      sums[j][0] = sums[j][2] = shift[column_of(j, member * 2)];
      sums[j][1] = sums[j][3] = shift[column_of(j, member * 2 + 1)];
#pragma unroll
      for (int q = 0; q < QUADS; ++q)
        multiply(sums[j], a[0][q], a[1][q], columns[(j * QUADS + q) * LANES + lane]);
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      int column = left + half * 8;
      if (column >= width) continue;
      wide position = row * (wide)width + column;
      unsigned above = 0;
#pragma unroll
      for (int q = 0; q < OWN / MANY; ++q) {
        pack all;
#pragma unroll
        for (int k = 0; k < MANY; ++k) {
          int e = q * MANY + k;
          float sum = sums[e / 2][half * 2 + e % 2];
          above |= (unsigned)(sum > 0) << e;
          all.at[k] = narrow(rectified && !(sum > 0) ? 0.0f : sum);
        }
        *(quad *)(y + position * OUT + channel_of(member, q * MANY)) =
            rounded(words_of(all));
      }
      if (signs) signs[position * 4 + member] = (unsigned short)above;
    }
  }
}

// What a lane holds of the gradient at two positions, and which of it goes on.
struct Slopes {
  quad at[2][OUT / 4 / MANY];
  unsigned short signs[2];
};

__device__ inline void take(Slopes &slopes, const feature *gy,
                            const unsigned short *signs, int height, int width, int row,
                            int column) {
  int member = threadIdx.x % 4;
#pragma unroll
  for (int half = 0; half < 2; ++half, column += 8) {
    bool inside = row >= 0 && row < height && column >= 0 && column < width;
    wide position = inside ? row * (wide)width + column : 0;
#pragma unroll
    for (int q = 0; q < OUT / 4 / MANY; ++q)
      slopes.at[half][q] =
          *(const quad *)(gy + position * OUT + channel_of(member, q * MANY));
    unsigned short all = signs ? signs[position * 4 + member] : 0xffff;
    slopes.signs[half] = inside ? all : 0;
  }
}

// What is above zero of a quad, or went to those that were: 0 stops an element.
__device__ inline quad passed(quad words, unsigned signs, int q) {
  pack all = features_of(words);
#pragma unroll
  for (int k = 0; k < MANY; ++k)
    if (!(signs >> (q * MANY + k) & 1)) all.at[k] = narrow(0.0f);
  return rounded(words_of(all));
}

// What a position sends to the nine taps of three planes, of all its channels: columns
// of matrix units, the planes of a tap beside each other.
enum { QUADS = OUT / 4 / MANY, TILES = 4, APART = 33, INNER = 14 };

// The filters of some of a member's elements for one column.
__device__ inline feature sent_by(const feature *filters, int column, int channel) {
  int tap = column / 3, plane = column % 3;
  if (tap >= TAPS) return narrow(0.0f);
  return filters[(channel * TAPS + tap) * DEPTH + plane];
}

// A quad of a column for each of mma's lanes: a member's.
__device__ inline void line_up(const feature *filters, quad *columns) {
  for (int i = threadIdx.x; i < TILES * QUADS * LANES; i += THREADS) {
    int lane = i % LANES, q = i / LANES % QUADS, j = i / LANES / QUADS;
    pack all;
    for (int k = 0; k < MANY; ++k) {
      int channel = channel_of(lane % 4, q * MANY + k);
      all.at[k] = sent_by(filters, j * 8 + lane / 4, channel);
    }
    columns[i] = rounded(words_of(all));
  }
}

// One for wgmma: a word of each member.
__device__ inline quad sending(const feature *filters, int column, int word) {
  enum { IN_WORD = 4 / sizeof(feature) };
  pack all;
  for (int k = 0; k < MANY; ++k) {
    int channel = channel_of(k / IN_WORD, word * IN_WORD + k % IN_WORD);
    all.at[k] = sent_by(filters, column, channel);
  }
  return rounded(words_of(all));
}

// Of sixteen positions, to a warp's room.
__device__ inline void keep(const float (&products)[TILES][4], float *room) {
  int group = threadIdx.x % LANES / 4, member = threadIdx.x % 4;
#pragma unroll
  for (int j = 0; j < TILES; ++j)
#pragma unroll
    for (int k = 0; k < 4; ++k)
      room[(group + k / 2 * 8) * APART + j * 8 + member * 2 + k % 2] = products[j][k];
  __syncwarp();
}

// What a place gets of a row of positions, of which some are there, by a row of taps.
// The first may be the place's left neighbour: what tap 0 reads of there is this one.
__device__ inline float received(const float *room, int place, int dy, int plane) {
  float sum = 0.0f;
#pragma unroll
  for (int dx = 0; dx < 3; ++dx) {
    int from = place + 1 - dx;
    if (from >= 0 && from < 16) sum += room[from * APART + (dy * 3 + dx) * 3 + plane];
  }
  return sum;
}

// The gradient of the picture, plane by plane. A warp goes down `rows` rows of 14
// columns and their neighbours. What a position sends to each of the taps is a product
// of its own channels alone; sums of it are of the row above, its own, and the one below.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
first_back(const feature *__restrict__ gy, const unsigned short *__restrict__ signs,
           const feature *__restrict__ filters, float *__restrict__ gradient, int height,
           int width, int rows, float scale) {
  __shared__ quad columns[TILES * QUADS * LANES];
  __shared__ float sent[WARPS][16 * APART];
  line_up(filters, columns);
  __syncthreads();
  int lane = threadIdx.x % LANES, group = lane / 4;
  float *own = sent[threadIdx.x / LANES];
  wide pixels = (wide)height * width;
  int across = (width + INNER - 1) / INNER, strips = across * ((height + rows - 1) / rows);
  for (int strip = blockIdx.x * WARPS + threadIdx.x / LANES; strip < strips;
       strip += gridDim.x * WARPS) {
    int left = strip % across * INNER - 1, top = strip / across * rows;
    int bottom = top + rows < height ? top + rows : height;
    // Who adds up: of 16 columns, the lanes' halves have the planes 0 and 1, and 2.
    int place = lane % 16, column = left + place, half = lane / 16;
    bool adds = place > 0 && place < 15 && column < width;
    float sums[2][2] = {};  // by plane: what is there of this row, and of the next
    Slopes next;
    take(next, gy, signs, height, width, top - 1, left + group);
    for (int row = top - 1; row <= bottom; ++row) {
      Slopes slopes = next;
      if (row < bottom) take(next, gy, signs, height, width, row + 1, left + group);
      float products[TILES][4] = {};
#pragma unroll
      for (int q = 0; q < QUADS; ++q) {
        quad above = passed(slopes.at[0][q], slopes.signs[0], q);
        quad below = passed(slopes.at[1][q], slopes.signs[1], q);
#pragma unroll
        for (int j = 0; j < TILES; ++j)
          multiply(products[j], above, below, columns[(j * QUADS + q) * LANES + lane]);
      }
      keep(products, own);
      if (adds)
#pragma unroll
        for (int p = 0; p < 2; ++p) {
          int plane = half * 2 + p;
          if (plane > 2) continue;
          float done = sums[p][0] + received(own, place, 0, plane);
          sums[p][0] = sums[p][1] + received(own, place, 1, plane);
          sums[p][1] = received(own, place, 2, plane);
          if (row > top)
            gradient[plane * pixels + (row - 1) * (wide)width + column] = scale * done;
        }
      __syncwarp();
    }
  }
}
