// Convolutions of 64 channels to 64, of three times three places, by warpgroups: wgmma
// of PTX, for sm_90a alone.
//
// A warpgroup computes HIGH rows of BROAD columns at a time, a warp of it four rows.
// All filters lie in shared memory as columns of wgmma; of the map a part of the
// channels at a time, twice, so that one comes while the other is used. Rows of wgmma
// are positions, which each warp reads once for all three rows of filters. The two
// groups of a block are half a tile apart: while one ends a tile, the other multiplies.

enum { GROUPS = THREADS / GROUP };
enum { HIGH = 16, BROAD = 16, AROUND = BROAD + 2, HALO = AROUND * (HIGH + 2) };
enum { CHUNK = 4 * MANY, CHUNKS = OUT / CHUNK };  // channels that are there at a time
enum { COLUMNS = 2 * OUT, FILTERS = TAPS * CHUNKS * 2 * COLUMNS };  // quads

// Of a warp's four times sixteen positions: tile, column and row as of mma.
typedef float Rows[4][OUT / 8][4];

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
// Of two groups, one says that it goes on, for which the other waits.
__device__ inline void go_ahead() { asm volatile("bar.arrive 3, 256;" ::: "memory"); }
__device__ inline void follow() { asm volatile("bar.sync 3, 256;" ::: "memory"); }
// What was stored in shared memory is seen by wgmma.
__device__ inline void publish() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

__device__ inline void begin_group() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ inline void end_group() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
// Waits for all but so many.
template <int PENDING>
__device__ inline void await_groups() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(PENDING) : "memory");
}

// Columns in shared memory: all of the first words along the sum, a quad for four
// members, then those of the second; eight of them lie 128 bytes from the next eight.
__device__ inline unsigned long long described(const quad *columns, int count) {
  unsigned long long there = place_of(columns) >> 4 & 0x3fff;
  return there | (unsigned long long)count << 16 | 8ull << 32;
}

#if FEATURE == 32
#define WGMMA(n) "wgmma.mma_async.sync.aligned.m64n" #n "k8.f32.tf32.tf32 "
#define AS_THEY_ARE ""
#else
#if FEATURE == 17
#define WGMMA(n) "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 "
#else
#define WGMMA(n) "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.f16.f16 "
#endif
#define AS_THEY_ARE ", 0"
#endif
#define FOUR(j) "+f"(d[j][0]), "+f"(d[j][1]), "+f"(d[j][2]), "+f"(d[j][3])

__device__ inline void multiply(float (&d)[8][4], const quad &above, const quad &below,
                                int step, const quad *columns, int adding) {
  asm volatile(
      "{.reg .pred adding; setp.ne.b32 adding, %37, 0;\n" WGMMA(64)
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
      "{%32, %33, %34, %35}, %36, adding, 1, 1" AS_THEY_ARE ";}\n"
      : FOUR(0), FOUR(1), FOUR(2), FOUR(3), FOUR(4), FOUR(5), FOUR(6), FOUR(7)
      : "r"(above.at[step * 2]), "r"(below.at[step * 2]), "r"(above.at[step * 2 + 1]),
        "r"(below.at[step * 2 + 1]), "l"(described(columns, 64)), "r"(adding));
}

__device__ inline void multiply(float (&d)[4][4], const quad &above, const quad &below,
                                int step, const quad *columns, int adding) {
  asm volatile(
      "{.reg .pred adding; setp.ne.b32 adding, %21, 0;\n" WGMMA(32)
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15}, "
      "{%16, %17, %18, %19}, %20, adding, 1, 1" AS_THEY_ARE ";}\n"
      : FOUR(0), FOUR(1), FOUR(2), FOUR(3)
      : "r"(above.at[step * 2]), "r"(below.at[step * 2]), "r"(above.at[step * 2 + 1]),
        "r"(below.at[step * 2 + 1]), "l"(described(columns, 32)), "r"(adding));
}
#elif defined(__CUDA_ARCH__)
// Never launched on such devices (Machine.units).
__device__ inline void go_ahead() {}
__device__ inline void follow() {}
__device__ inline void publish() {}
__device__ inline void begin_group() {}
__device__ inline void end_group() {}
template <int PENDING>
__device__ inline void await_groups() {}
template <int COUNT>
__device__ inline void multiply(float (&)[COUNT][4], const quad &, const quad &, int,
                                const quad *, int) {}
#endif

// All filters as columns, rounded to what is multiplied.
__device__ inline void bring_filters(const feature *filters, quad *there) {
  for (int i = threadIdx.x; i < FILTERS; i += THREADS) {
    int n = i % 8, j = i / 8 % 8, word = i / OUT % 4, place = i / OUT / 4;
    int chunk = place % CHUNKS, tap = place / CHUNKS;
    const feature *own = filters + (column_of(j, n) * TAPS + tap) * OUT;
    quad all;
    for (int member = 0; member < 4; ++member)
      all.at[member] =
          rounded(((const unsigned *)own)[(chunk * 4 + member) * 4 + word]);
    there[i] = all;
  }
  publish();
}

// Which part of a map a group, or a warp, is at.
struct Tile {
  int top, left;
};

// Calls finish(tile, sums, room) for each tile of a warp; the room, if there is to be
// one, is a group's, and of HALO * 4 quads.
template <bool ROOM, class Finish>
__device__ inline void convolve(const feature *__restrict__ x,
                                const feature *__restrict__ filters, int height,
                                int width, Finish finish) {
  int group = threadIdx.x / GROUP, own_thread = threadIdx.x % GROUP;
  int lane = threadIdx.x % LANES, warp = own_thread / LANES;
  quad *columns = shared, *map = shared + FILTERS + group * (2 * HALO * 4);
  int across = (width + BROAD - 1) / BROAD;
  int tiles = across * ((height + HIGH - 1) / HIGH);
  int first = blockIdx.x * GROUPS + group, stride = gridDim.x * GROUPS;
  int stages = (tiles - first + stride - 1) / stride * CHUNKS;
  auto tile_of = [&](int stage) {
    int tile = first + stage / CHUNKS * stride;
    return Tile{tile / across * HIGH, tile % across * BROAD};
  };
  // A thread brings quads of positions that are a 32nd part of a group apart.
  enum { APART_BY = GROUP / 4, TURNS = (HALO * 4 + GROUP - 1) / GROUP };
  int row, column;
  auto aim = [&](Tile tile) {
    row = tile.top - 1 + own_thread / 4 / AROUND;
    column = tile.left - 1 + own_thread / 4 % AROUND;
  };
  auto bring = [&](int stage, Tile tile, int turn) {
    int i = turn * GROUP + own_thread;
    bool inside = row >= 0 && row < height && column >= 0 && column < width;
    const feature *own = x + stage % CHUNKS * CHUNK + own_thread % 4 * MANY;
    if (i < HALO * 4)
      copy_past(map + stage % 2 * HALO * 4 + i,
           own + (inside ? row * width + column : 0) * (wide)OUT, inside);
    row += APART_BY / AROUND, column += APART_BY % AROUND;
    if (column >= tile.left - 1 + AROUND) ++row, column -= AROUND;
  };
  aim(tile_of(0));
  for (int turn = 0; turn < TURNS && stages; ++turn) bring(0, tile_of(0), turn);
  bring_filters(filters, columns);
  __syncthreads();
  if (GROUPS > 1 && group) follow();
  if (GROUPS > 1 && !group && !stages) go_ahead();
  // Rows of the map, one for each row of output and one above and below, are used one
  // after the other, for each column of filters anew. Each is there two before its turn:
  // what wgmma reads must not be written while products are under way of which it is.
  enum { DOWN = 6, ALL = DOWN * 3, KEPT = 3, EARLY = 2 };
  quad rows[KEPT][2];
  auto load = [&](int stage, int i) {
    int corner = (warp * 4 + i % DOWN) * AROUND + i / DOWN + lane / 4;
    const quad *there = map + (stage % 2 * HALO + corner) * 4 + lane % 4;
    rows[i % KEPT][0] = there[0], rows[i % KEPT][1] = there[8 * 4];
  };
  await_copies();
  meet();
  load(0, 0), load(0, 1);
  Rows sums;
  // Two loops: products stay under way from one part of the channels to the next.
  for (int begun = 0; begun < stages; begun += CHUNKS) {
#pragma unroll 1
    for (int stage = begun; stage < begun + CHUNKS; ++stage) {
      int chunk = stage - begun;
      Tile next = tile_of(stage + 1);
#pragma unroll
      for (int i = 0; i < ALL; ++i) {
        begin_group();
#pragma unroll
        for (int dy = 0; dy < 3; ++dy) {
          int to = i % DOWN - dy, tap = dy * 3 + i / DOWN;
          if (to < 0 || to >= 4) continue;
#pragma unroll
          for (int step = 0; step < 2; ++step)
            multiply(sums[to], rows[i % KEPT][0], rows[i % KEPT][1], step,
                     columns + ((tap * CHUNKS + chunk) * 2 + step) * COLUMNS,
                     chunk | tap | step);
        }
        end_group();
        if (i < EARLY && stage + 1 < stages) {  // for copies take their time
          if (i == 0) aim(next);
#pragma unroll
          for (int turn = 0; turn < TURNS; ++turn)
            if (turn * EARLY / TURNS == i) bring(stage + 1, next, turn);
        }
        if (i + 2 == ALL) {
          await_copies();
          meet();  // no warp reads any more where the stage after the next is brought
          if (GROUPS > 1 && !group && stage == CHUNKS / 2 - 1) go_ahead();
        }
        await_groups<1>();
        load(stage + (i + 2) / ALL, (i + 2) % ALL);
      }
    }
    await_groups<0>();
    Tile tile = tile_of(begun);
    tile.top += warp * 4;
    finish(tile, sums, map + (begun + CHUNKS - 1) % 2 * HALO * 4);
    if (ROOM) meet();  // or another warp would bring what is next there
  }
}

// y = W x + b, rectified if asked to.
extern "C" __global__ void __launch_bounds__(THREADS, 1)
conv_64(const feature *__restrict__ x, const feature *__restrict__ filters,
        const float *__restrict__ bias, feature *__restrict__ y, int height, int width,
        int rectified) {
  int group = threadIdx.x % LANES / 4, member = threadIdx.x % 4;
  float shift[OUT / 4];
#pragma unroll
  for (int e = 0; e < OUT / 4; ++e) shift[e] = bias[channel_of(member, e)];
  convolve<false>(x, filters, height, width, [&](Tile tile, const Rows &sums, quad *) {
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        int row = tile.top + i, column = tile.left + half * 8 + group;
        if (row >= height || column >= width) continue;
        feature *own = y + (row * (wide)width + column) * OUT;
#pragma unroll
        for (int q = 0; q < OUT / 4 / MANY; ++q) {
          pack all;
#pragma unroll
          for (int k = 0; k < MANY; ++k) {
            int e = q * MANY + k;
            float sum = sums[i][e / 2][half * 2 + e % 2] + shift[e];
            all.at[k] = narrow(rectified && !(sum > 0) ? 0.0f : sum);
          }
          *(pack *)(own + channel_of(member, q * MANY)) = all;
        }
      }
  });
}

// From here back to the picture, in one go: the gradient behind this convolution, masked
// by signs, is at once carried back by the first one. What a warp has of it, of four
// times sixteen positions, goes to a patch of the picture's gradient of one place more
// on each side.
enum { PATCH_HIGH = 6, PATCH_BROAD = 18, PATCH = PATCH_HIGH * PATCH_BROAD };

// The columns of the first convolution's gradient: what a position sends to the taps of
// three planes (see first_back), as of wgmma.
enum { SENT = TILES * 8, SENDING = OUT * SENT / MANY };

// Of a row of positions, whose sums these are, what goes on of their gradients: with
// the members' bits of `passed`, of both halves.
__device__ inline void send(float (&products)[TILES][4], const float (&sums)[OUT / 8][4],
                            unsigned passed, const quad *columns) {
  quad rows[2][QUADS];
#pragma unroll
  for (int half = 0; half < 2; ++half)
#pragma unroll
    for (int q = 0; q < QUADS; ++q) {
      pack all;
#pragma unroll
      for (int k = 0; k < MANY; ++k) {
        int e = q * MANY + k;
        float sum = sums[e / 2][half * 2 + e % 2];
        all.at[k] = narrow(passed >> (half * 16 + e) & 1 ? sum : 0.0f);
      }
      rows[half][q] = rounded(words_of(all));
    }
  begin_group();
#pragma unroll
  for (int step = 0; step < QUADS * 2; ++step)
    multiply(products, rows[0][step / 2], rows[1][step / 2], step % 2,
             columns + step * 2 * SENT, step);
  end_group();
  await_groups<0>();
}

// columns: room for those of a block.
extern "C" __global__ void __launch_bounds__(THREADS, 1)
conv_64_back(const feature *__restrict__ gy, const feature *__restrict__ turned,
             const unsigned short *__restrict__ signs, const feature *__restrict__ first,
             feature *columns, float *__restrict__ patches, int height, int width) {
  int lane = threadIdx.x % LANES, group = lane / 4, member = lane % 4;
  int across = (width + 15) / 16;
  quad *own = (quad *)columns + blockIdx.x * SENDING;
  for (int i = threadIdx.x; i < SENDING; i += THREADS)  // convolve waits for it
    own[i] = sending(first, i % SENT, i / SENT);
  convolve<true>(gy, turned, height, width, [&](Tile tile, Rows &sums, quad *room) {
    unsigned passed[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      passed[i] = 0;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        int row = tile.top + i, column = tile.left + half * 8 + group;
        bool inside = row < height && column < width;
        wide position = inside ? row * (wide)width + column : 0;
        unsigned all = signs ? signs[position * 4 + member] : 0xffff;
        if (inside) passed[i] |= all << half * 16;
      }
    }
    // The group's room begins with its columns.
    for (int i = threadIdx.x % GROUP; i < SENDING; i += GROUP) room[i] = own[i];
    publish();
    meet();
    int warp = threadIdx.x % GROUP / LANES;
    float products[TILES][4];
    float *sent = (float *)(room + SENDING) + warp * (16 * APART);
    float *patch = patches + (tile.top / 4 * across + tile.left / 16) * (wide)(3 * PATCH);
    float kept[2][2] = {};  // of a lane's places: this row's, and the next one's
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      send(products, sums[i], passed[i], room);
      keep(products, sent);
#pragma unroll
      for (int p = 0; p < 2; ++p) {
        int at = p * LANES + lane, place = at % PATCH_BROAD, plane = at / PATCH_BROAD;
        if (plane >= 3 || tile.top >= height) continue;
        float *to = patch + plane * PATCH + i * PATCH_BROAD + place;
        to[0] = kept[p][0] + received(sent, place - 1, 0, plane);
        kept[p][0] = kept[p][1] + received(sent, place - 1, 1, plane);
        kept[p][1] = received(sent, place - 1, 2, plane);
        if (i == 3) to[PATCH_BROAD] = kept[p][0], to[2 * PATCH_BROAD] = kept[p][1];
      }
      __syncwarp();
    }
  });
}

// The picture's gradient: each pixel adds up what the patches that have it say.
extern "C" __global__ void assemble(const float *__restrict__ patches,
                                    float *__restrict__ gradient, int height, int width,
                                    float scale) {
  int across = (width + 15) / 16, down = (height + 3) / 4, pixels = height * width;
  EACH(i, pixels) {
    int row = (int)i / width, column = (int)i % width, a = row / 4, b = column / 16;
    int first_a = row % 4 == 0 && a > 0 ? a - 1 : a;
    int last_a = row % 4 == 3 && a + 1 < down ? a + 1 : a;
    int first_b = column % 16 == 0 && b > 0 ? b - 1 : b;
    int last_b = column % 16 == 15 && b + 1 < across ? b + 1 : b;
    float sums[3] = {};
    for (int r = first_a; r <= last_a; ++r)
      for (int c = first_b; c <= last_b; ++c) {
        const float *own = patches + (r * across + c) * (wide)(3 * PATCH) +
                           (row - r * 4 + 1) * PATCH_BROAD + column - c * 16 + 1;
#pragma unroll
        for (int plane = 0; plane < 3; ++plane) sums[plane] += own[plane * PATCH];
      }
#pragma unroll
    for (int plane = 0; plane < 3; ++plane)
      gradient[plane * (wide)pixels + i] = scale * sums[plane];
  }
}
