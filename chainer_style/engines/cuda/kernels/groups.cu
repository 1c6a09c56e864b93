// Convolutions of 64 channels to 64, of three times three places, by warpgroups: wgmma
// of PTX, for sm_90a alone.
//
// A block computes HIGH rows of BROAD columns at a time, a warp of it four rows of
// sixteen. All filters lie in shared memory as columns of wgmma; of the map a part of
// the channels at a time, twice, so that one comes while the other is used. Rows of
// wgmma are positions, which each warp reads once for all three rows of filters.

enum { HIGH = WARPS / 2 * 4, BROAD = 32, AROUND = BROAD + 2, HALO = AROUND * (HIGH + 2) };
enum { CHUNK = 4 * MANY, CHUNKS = OUT / CHUNK };  // channels that are there at a time
enum { COLUMNS = 2 * OUT, FILTERS = TAPS * CHUNKS * 2 * COLUMNS };  // quads

// Of a warp's four times sixteen positions: tile, column and row as of mma.
typedef float Rows[4][OUT / 8][4];

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
__device__ inline unsigned place_of(const quad *there) {
  return (unsigned)__cvta_generic_to_shared(there);
}

// Sixteen bytes on their way to shared memory, or zeros.
__device__ inline void copy(quad *to, const feature *from, bool inside) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(place_of(to)),
               "l"(from), "r"(inside ? 16 : 0)
               : "memory");
}
__device__ inline void await_copies() {
  asm volatile("cp.async.wait_all;" ::: "memory");
}
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

// Columns in shared memory: the 64 of the first words along the sum, a quad for four
// members, then those of the second; eight of them lie 128 bytes from the next eight.
__device__ inline void multiply(float (&d)[8][4], const quad &above, const quad &below,
                                int step, const quad *columns, int adding) {
  unsigned long long there = place_of(columns) >> 4 & 0x3fff;
  there |= (unsigned long long)OUT << 16 | 8ull << 32;
#define FOUR(j) "+f"(d[j][0]), "+f"(d[j][1]), "+f"(d[j][2]), "+f"(d[j][3])
  asm volatile(
      "{.reg .pred adding; setp.ne.b32 adding, %37, 0;\n"
#if FEATURE == 32
      "wgmma.mma_async.sync.aligned.m64n64k8.f32.tf32.tf32 "
#elif FEATURE == 17
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
#else
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 "
#endif
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
      "{%32, %33, %34, %35}, %36, adding, 1, 1"
#if FEATURE != 32
      ", 0"
#endif
      ";}\n"
      : FOUR(0), FOUR(1), FOUR(2), FOUR(3), FOUR(4), FOUR(5), FOUR(6), FOUR(7)
      : "r"(above.at[step * 2]), "r"(below.at[step * 2]), "r"(above.at[step * 2 + 1]),
        "r"(below.at[step * 2 + 1]), "l"(there), "r"(adding));
#undef FOUR
}
#elif defined(__CUDA_ARCH__)
// Never launched on such devices (Machine.units).
__device__ inline void copy(quad *, const feature *, bool) {}
__device__ inline void await_copies() {}
__device__ inline void publish() {}
__device__ inline void begin_group() {}
__device__ inline void end_group() {}
template <int PENDING>
__device__ inline void await_groups() {}
__device__ inline void multiply(float (&)[8][4], const quad &, const quad &, int,
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

// Which part of a map a block is at.
struct Tile {
  int top, left;
};

// Calls finish(tile, sums, room) for each tile of a block; the room, if it is to be a
// warp's own, is of 16 times APART floats.
template <bool ROOM, class Finish>
__device__ inline void convolve(const feature *__restrict__ x,
                                const feature *__restrict__ filters, int height,
                                int width, Finish finish) {
  quad *columns = shared, *map = shared + FILTERS;
  int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES;
  int across = (width + BROAD - 1) / BROAD;
  int tiles = across * ((height + HIGH - 1) / HIGH);
  int own_tiles = (tiles - (int)blockIdx.x + (int)gridDim.x - 1) / (int)gridDim.x;
  int stages = own_tiles * CHUNKS;
  auto tile_of = [&](int stage) {
    int tile = blockIdx.x + stage / CHUNKS * gridDim.x;
    return Tile{tile / across * HIGH, tile % across * BROAD};
  };
  // One of what a thread brings for a stage.
  enum { EACH_BRINGS = (HALO * 4 + THREADS - 1) / THREADS };
  auto bring = [&](int stage, Tile tile, int turn) {
    int i = turn * THREADS + threadIdx.x, place = i / 4;
    if (stage >= stages || i >= HALO * 4) return;
    int row = tile.top - 1 + place / AROUND, column = tile.left - 1 + place % AROUND;
    bool inside = row >= 0 && row < height && column >= 0 && column < width;
    wide at = inside ? (row * (wide)width + column) * OUT + i % 4 * MANY : 0;
    copy(map + stage % 2 * HALO * 4 + i, x + at + stage % CHUNKS * CHUNK, inside);
  };
  for (int turn = 0; turn < EACH_BRINGS; ++turn) bring(0, tile_of(0), turn);
  bring_filters(filters, columns);
  Rows sums;
  for (int stage = 0; stage < stages; ++stage) {
    int chunk = stage % CHUNKS, corner = warp / 2 * 4 * AROUND + warp % 2 * 16 + lane / 4;
    Tile next = tile_of(stage + 1);
    const quad *own = map + (stage % 2 * HALO + corner) * 4 + lane % 4;
    // Rows of the map, one for each row of output and one above and below, are used one
    // after the other, for each column of filters anew. Two are there before they are.
    enum { DOWN = 6, ALL = DOWN * 3, KEPT = 3 };
    quad rows[KEPT][2];
    auto load = [&](int i) {
      const quad *from = own + (i % DOWN * AROUND + i / DOWN) * 4;
      rows[i % KEPT][0] = from[0], rows[i % KEPT][1] = from[8 * 4];
    };
    await_copies();
    __syncthreads();  // no warp reads what the next stage's is brought to
    await_groups<1>();
    load(0), load(1);
#pragma unroll
    for (int i = 0; i < ALL; ++i) {
      begin_group();
#pragma unroll
      for (int dy = 0; dy < 3; ++dy) {
        int row = i % DOWN - dy, tap = dy * 3 + i / DOWN;
        if (row < 0 || row >= 4) continue;
#pragma unroll
        for (int step = 0; step < 2; ++step)
          multiply(sums[row], rows[i % KEPT][0], rows[i % KEPT][1], step,
                   columns + ((tap * CHUNKS + chunk) * 2 + step) * COLUMNS,
                   chunk | tap | step);
      }
      end_group();
      // Between the groups, whose products take longer.
#pragma unroll
      for (int turn = i; turn < EACH_BRINGS; turn += ALL) bring(stage + 1, next, turn);
      if (i + 2 < ALL) await_groups<1>(), load(i + 2);
    }
    if (chunk < CHUNKS - 1) continue;
    await_groups<0>();
    if (ROOM) __syncthreads();
    Tile tile = tile_of(stage);
    tile.top += warp / 2 * 4, tile.left += warp % 2 * 16;
    quad *room = map + stage % 2 * HALO * 4 + warp * (HALO / WARPS * 4);
    finish(tile, sums, (float *)room);
  }
}

// y = W x + b, if there is a bias, rectified if asked to. Blocks share columns() and two
// buffers of the map.
extern "C" __global__ void __launch_bounds__(THREADS, 1)
conv_64(const feature *__restrict__ x, const feature *__restrict__ filters,
        const float *__restrict__ bias, feature *__restrict__ y, int height, int width,
        int rectified) {
  int group = threadIdx.x % LANES / 4, member = threadIdx.x % 4;
  convolve<false>(x, filters, height, width, [&](Tile tile, const Rows &sums, float *) {
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        int row = tile.top + i, column = tile.left + half * 8 + group;
        if (row >= height || column >= width) continue;
        feature *own = y + (row * (wide)width + column) * OUT;
#pragma unroll
        for (int q = 0; q < OUT / 4 / MANY; ++q) {
          int c = channel_of(member, q * MANY);
          pack all;
#pragma unroll
          for (int k = 0; k < MANY; ++k) {
            int e = q * MANY + k;
            float sum = sums[i][e / 2][half * 2 + e % 2];
            if (bias) sum += bias[c + k];
            all.at[k] = narrow(rectified && !(sum > 0) ? 0.0f : sum);
          }
          *(pack *)(own + c) = all;
        }
      }
  });
}

// From here back to the picture, in one go: the gradient behind this convolution, masked
// by signs, is at once carried back by the first one. What a warp has of it, of four
// times sixteen positions, goes to a patch of the picture's gradient of one place more
// on each side.
enum { PATCH_HIGH = 6, PATCH_BROAD = 18, PATCH = PATCH_HIGH * PATCH_BROAD };

// columns: room for those of a block.
extern "C" __global__ void __launch_bounds__(THREADS, 1)
conv_64_back(const feature *__restrict__ gy, const feature *__restrict__ turned,
             const unsigned short *__restrict__ signs, const feature *__restrict__ first,
             feature *columns, float *__restrict__ patches, int height, int width) {
  int lane = threadIdx.x % LANES, group = lane / 4, member = lane % 4;
  int across = (width + 15) / 16;
  quad *own = (quad *)columns + blockIdx.x * (TILES * QUADS * LANES);
  line_up(first, own);  // convolve waits for it
  convolve<true>(gy, turned, height, width, [&](Tile tile, const Rows &sums, float *room) {
    if (tile.top >= height || tile.left >= width) return;
    float *patch = patches + (tile.top / 4 * across + tile.left / 16) * (wide)(3 * PATCH);
    float rows[2][2] = {};  // of a lane's places: this row's, and the next one's
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float products[TILES][4] = {};
      unsigned passed[2];
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        int row = tile.top + i, column = tile.left + half * 8 + group;
        bool inside = row < height && column < width;
        wide position = inside ? row * (wide)width + column : 0;
        passed[half] = !inside ? 0 : signs ? signs[position * 4 + member] : 0xffff;
      }
#pragma unroll
      for (int q = 0; q < QUADS; ++q) {
        pack all[2];
#pragma unroll
        for (int half = 0; half < 2; ++half)
#pragma unroll
          for (int k = 0; k < MANY; ++k) {
            int e = q * MANY + k;
            float sum = sums[i][e / 2][half * 2 + e % 2];
            all[half].at[k] = narrow(passed[half] >> e & 1 ? sum : 0.0f);
          }
        quad above = rounded(words_of(all[0])), below = rounded(words_of(all[1]));
#pragma unroll
        for (int j = 0; j < TILES; ++j)
          multiply(products[j], above, below, own[(j * QUADS + q) * LANES + lane]);
      }
      keep(products, room);
#pragma unroll
      for (int p = 0; p < 2; ++p) {
        int at = p * LANES + lane, place = at % PATCH_BROAD, plane = at / PATCH_BROAD;
        if (plane >= 3) continue;
        float *to = patch + plane * PATCH + i * PATCH_BROAD + place;
        to[0] = rows[p][0] + received(room, place - 1, 0, plane);
        rows[p][0] = rows[p][1] + received(room, place - 1, 1, plane);
        rows[p][1] = received(room, place - 1, 2, plane);
        if (i == 3) to[PATCH_BROAD] = rows[p][0], to[2 * PATCH_BROAD] = rows[p][1];
      }
      __syncwarp();
    }
  });
}

// The picture's gradient: each pixel adds up what the patches that have it say.
extern "C" __global__ void assemble(const float *__restrict__ patches,
                                    float *__restrict__ gradient, int height, int width,
                                    float scale) {
  int across = (width + 15) / 16, down = (height + 3) / 4;
  EACH(i, 3 * (wide)height * width) {
    int plane = (int)(i / width / height), row = (int)(i / width) % height;
    int column = (int)(i % width), a = row / 4, b = column / 16;
    int first_a = row % 4 == 0 && a > 0 ? a - 1 : a;
    int last_a = row % 4 == 3 && a + 1 < down ? a + 1 : a;
    int first_b = column % 16 == 0 && b > 0 ? b - 1 : b;
    int last_b = column % 16 == 15 && b + 1 < across ? b + 1 : b;
    float sum = 0.0f;
    for (int r = first_a; r <= last_a; ++r)
      for (int c = first_b; c <= last_b; ++c)
        sum += patches[((r * across + c) * (wide)3 + plane) * PATCH +
                       (row - r * 4 + 1) * PATCH_BROAD + column - c * 16 + 1];
    gradient[i] = scale * sum;
  }
}
