// How many places a window covers along one side, of the map and its padding.
__device__ inline int covered(int window, int length, int kernel, int stride, int pad) {
  int first = window * stride - pad, end = first + kernel;
  return (end < length + pad ? end : length + pad) - first;
}

// Below every feature; the compiler at run time knows no infinity by name.
#define LEAST -3.402823466e38f

extern "C" __global__ void pool(const feature *x, feature *y, unsigned char *chosen,
                                int height, int width, int y_height, int y_width,
                                int channels, int kernel, int stride, int pad, int kind,
                                int rectified) {
  int packs = channels / MANY;
  wide count = (wide)y_height * y_width * packs;
  EACH(turn, count) {
    wide i = from_end(turn, count);
    int part = (int)(i % packs);
    int column = (int)(i / packs % y_width), row = (int)(i / packs / y_width);
    float found[MANY];
    unsigned char which[MANY];
    for (int k = 0; k < MANY; ++k) {
      found[k] = kind == MAXIMUM ? LEAST : 0.0f;
      which[k] = 0;
    }
    for (int a = 0; a < kernel; ++a) {
      int top = row * stride - pad + a;
      if (top < 0 || top >= height) continue;
      for (int b = 0; b < kernel; ++b) {
        int left = column * stride - pad + b;
        if (left < 0 || left >= width) continue;
        pack seen = ((const pack *)x)[((wide)top * width + left) * packs + part];
        for (int k = 0; k < MANY; ++k) {
          float value = widen(seen.at[k]);
          if (rectified && !(value > 0)) value = 0.0f;
          if (kind == AVERAGE) {
            found[k] += value;
          } else if (kind == ROOT) {
            found[k] += value * value;
          } else if (value > found[k]) {
            found[k] = value;
            which[k] = (unsigned char)(a * kernel + b);
          }
        }
      }
    }
    float share = 1.0f / (covered(row, height, kernel, stride, pad) *
                          covered(column, width, kernel, stride, pad));
    pack all;
    for (int k = 0; k < MANY; ++k) {
      if (kind == AVERAGE) found[k] *= share;
      if (kind == ROOT) found[k] = sqrtf(found[k] * share);
      all.at[k] = narrow(found[k]);
      if (kind == MAXIMUM) chosen[i * MANY + k] = which[k];
    }
    ((pack *)y)[i] = all;
  }
}

// Each place of the input adds up what the windows that see it send back. Where x is
// not above zero, masked stops that (OWN), or also what it is added to (WHOLE).
enum { OWN = 1, WHOLE };

extern "C" __global__ void unpool(const feature *gy, const feature *x, const feature *y,
                                  const unsigned char *chosen, feature *gx, int height,
                                  int width, int y_height, int y_width, int channels,
                                  int kernel, int stride, int pad, int kind, int masked,
                                  int adding) {
  int packs = channels / MANY;
  EACH(i, (wide)height * width * packs) {
    int part = (int)(i % packs);
    int column = (int)(i / packs % width), row = (int)(i / packs / width);
    float sums[MANY];
    for (int k = 0; k < MANY; ++k) sums[k] = 0.0f;
    int top = row + pad - kernel < 0 ? 0 : (row + pad - kernel) / stride + 1;
    int left = column + pad - kernel < 0 ? 0 : (column + pad - kernel) / stride + 1;
    for (int a = top; a < y_height && a * stride <= row + pad; ++a) {
      int rows = covered(a, height, kernel, stride, pad);
      for (int b = left; b < y_width && b * stride <= column + pad; ++b) {
        wide at = ((wide)a * y_width + b) * packs + part;
        float share = 1.0f / (rows * covered(b, width, kernel, stride, pad));
        int place = (row + pad - a * stride) * kernel + column + pad - b * stride;
        pack given = ((const pack *)gy)[at], made;
        if (kind == ROOT) made = ((const pack *)y)[at];
        for (int k = 0; k < MANY; ++k) {
          float slope = widen(given.at[k]);
          if (kind == AVERAGE) {
            sums[k] += share * slope;
          } else if (kind == ROOT) {
            float root = widen(made.at[k]);
            if (root > 0) sums[k] += share * slope / root;
          } else if (chosen[at * MANY + k] == place) {
            sums[k] += slope;
          }
        }
      }
    }
    pack seen, all;
    if (masked || kind == ROOT) seen = ((const pack *)x)[i];
    if (adding) all = ((pack *)gx)[i];
    for (int k = 0; k < MANY; ++k) {
      if (kind == ROOT) sums[k] *= widen(seen.at[k]);
      int stopped = masked && !(widen(seen.at[k]) > 0);
      if (stopped) sums[k] = 0.0f;
      if (adding && !(stopped && masked == WHOLE)) sums[k] += widen(all.at[k]);
      all.at[k] = narrow(sums[k]);
    }
    ((pack *)gx)[i] = all;
  }
}
