// A picture, plane by plane, as the map that the network reads. The first kernel of an
// iteration: it also moves the counter that tells where losses and rates are.
extern "C" __global__ void spread(const float *picture, feature *x, int *counter,
                                  int pixels, int planes, int channels) {
  EACH(i, pixels) {
    for (int first = 0; first < channels; first += MANY) {
      pack all;
      for (int k = 0; k < MANY; ++k) {
        int c = first + k;
        all.at[k] = narrow(c < planes ? picture[c * (wide)pixels + i] : 0.0f);
      }
      *(pack *)(x + i * channels + first) = all;
    }
  }
  if (blockIdx.x == 0 && threadIdx.x == 0) counter[0] += 1;
}

// The picture's gradient, plane by plane.
extern "C" __global__ void collect(const feature *gx, float *gradient, int pixels,
                                   int planes, int channels, float scale) {
  EACH(i, pixels)
    for (int c = 0; c < planes; ++c)
      gradient[c * (wide)pixels + i] = scale * widen(gx[i * channels + c]);
}

// Adds that of the total variation, whose weighted value it adds up. down and right are
// the weight over the number of differences in either direction. Of the rows from begin
// up to end: a row belongs to a pair with the one below it.
extern "C" __global__ void vary(const float *picture, float *gradient, float *partial,
                                int height, int width, int planes, int begin, int end,
                                float down, float right) {
  float total = 0.0f;
  wide part = (wide)(end - begin) * width;
  EACH(place, planes * part) {
    int row = begin + (int)(place % part / width), column = (int)(place % width);
    wide i = (place / part * height + row) * width + column;
    float own = picture[i], sum = gradient[i];
    if (row + 1 < height) {
      float step = picture[i + width] - own;
      total += down * step * step;
      sum -= 2 * down * step;
    }
    if (row > 0) sum += 2 * down * (own - picture[i - width]);
    if (column + 1 < width) {
      float step = picture[i + 1] - own;
      total += right * step * step;
      sum -= 2 * right * step;
    }
    if (column > 0) sum += 2 * right * (own - picture[i - 1]);
    gradient[i] = sum;
  }
  add_up(total, partial);
}

extern "C" __global__ void clear(float *x, wide count) {
  EACH(i, count) x[i] = 0.0f;
}

// A window of a picture as a picture of its own, or onto that of its gradient. What is
// outside of the picture is zero, or left out.
struct Frame {
  int height, width, top, left, rows, columns;
  // Where a number of the window is in the picture; below zero: nowhere.
  __device__ wide place(wide i) const {
    wide pixels = (wide)rows * columns;
    int row = top + (int)(i % pixels / columns), column = left + (int)(i % columns);
    if (row < 0 || row >= height || column < 0 || column >= width) return -1;
    return (i / pixels * height + row) * width + column;
  }
};

extern "C" __global__ void cut(const float *picture, float *window, int height,
                               int width, int planes, int top, int left, int rows,
                               int columns) {
  Frame frame = {height, width, top, left, rows, columns};
  EACH(i, planes * (wide)rows * columns) {
    wide at = frame.place(i);
    window[i] = at < 0 ? 0.0f : picture[at];
  }
}

extern "C" __global__ void put_back(const float *window, float *gradient, int height,
                                int width, int planes, int top, int left, int rows,
                                int columns) {
  Frame frame = {height, width, top, left, rows, columns};
  EACH(i, planes * (wide)rows * columns) {
    wide at = frame.place(i);
    if (at >= 0) gradient[at] += window[i];
  }
}

// Adam and the clip. bounds: the lowest value of each plane, then the highest. corner:
// is told the first value before it is clipped, if there is a place for it.
extern "C" __global__ void move(float *picture, float *first, float *second,
                                const float *gradient, const float *bounds,
                                const float *rates, const int *counter, float *corner,
                                int pixels, int planes, float beta1, float beta2,
                                float epsilon) {
  float rate = rates[counter[0]];
  EACH(i, planes * (wide)pixels) {
    int plane = (int)(i / pixels);
    float slope = gradient[i];
    float m = first[i] + (1 - beta1) * (slope - first[i]);
    float v = second[i] + (1 - beta2) * (slope * slope - second[i]);
    float to = picture[i] - rate * m / (sqrtf(v) + epsilon);
    first[i] = m;
    second[i] = v;
    if (corner && i == 0) corner[0] = to;
    // A NaN must stay one, to be seen.
    to = to < bounds[plane] ? bounds[plane] : to;
    picture[i] = to > bounds[planes + plane] ? bounds[planes + plane] : to;
  }
}

// What the program of 2016 did where its clip changed the first value: see
// clip_by_pixel in engines/steps.py.
extern "C" __global__ void to_integers(float *picture, const float *corner,
                                       const float *bounds, int planes, wide count) {
  if (corner[0] >= bounds[0] && corner[0] <= bounds[planes]) return;
  EACH(i, count) picture[i] = truncf(picture[i]);
}
