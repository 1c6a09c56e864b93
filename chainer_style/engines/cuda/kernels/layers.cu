extern "C" __global__ void rectify(const feature *x, feature *y, wide count) {
  EACH(i, count / MANY) {
    pack all = ((const pack *)x)[i];
    for (int k = 0; k < MANY; ++k)
      if (!(widen(all.at[k]) > 0)) all.at[k] = narrow(0.0f);
    ((pack *)y)[i] = all;
  }
}

// Adds the bias, where no convolution did, and rectifies if asked to.
extern "C" __global__ void shift(feature *y, const float *bias, wide count,
                                 int channels, int rectified) {
  EACH(i, count / MANY) {
    pack all = ((pack *)y)[i];
    int first = (int)(i * MANY % channels);
    for (int k = 0; k < MANY; ++k) {
      float sum = widen(all.at[k]) + bias[first + k];
      all.at[k] = narrow(rectified && !(sum > 0) ? 0.0f : sum);
    }
    ((pack *)y)[i] = all;
  }
}

// gx (+)= gy, where x > 0 if there is an x.
extern "C" __global__ void join(const feature *gy, const feature *x, feature *gx,
                                wide count, int adding) {
  EACH(turn, count / MANY) {
    wide i = from_end(turn, count / MANY);
    pack given = ((const pack *)gy)[i], seen, all;
    if (x) seen = ((const pack *)x)[i];
    if (adding) all = ((pack *)gx)[i];
    for (int k = 0; k < MANY; ++k) {
      float sum = x && !(widen(seen.at[k]) > 0) ? 0.0f : widen(given.at[k]);
      all.at[k] = narrow(adding ? sum + widen(all.at[k]) : sum);
    }
    ((pack *)gx)[i] = all;
  }
}

// A part of a map, position after position.
extern "C" __global__ void take(const feature *x, feature *y, int width, int channels,
                                int top, int left, int bottom, int right) {
  int packs = channels / MANY;
  wide count = (wide)(bottom - top) * (right - left) * packs;
  EACH(i, count) {
    wide position = i / packs;
    int row = top + (int)(position / (right - left));
    int column = left + (int)(position % (right - left));
    ((pack *)y)[i] = ((const pack *)x)[(row * (wide)width + column) * packs + i % packs];
  }
}

// The gradient of such a part, into or onto that of its map; else zeros are around it.
extern "C" __global__ void give(const feature *part, feature *gx, int height, int width,
                                int channels, int top, int left, int bottom, int right,
                                int adding) {
  Region own = {top, left, bottom, right};
  int packs = channels / MANY;
  EACH(i, (wide)height * width * packs) {
    int row = (int)(i / packs / width), column = (int)(i / packs % width);
    bool inside = own.has(row, column);
    if (adding && !inside) continue;
    pack all;
    if (inside) all = ((const pack *)part)[own.index(row, column) * packs + i % packs];
    for (int k = 0; k < MANY; ++k) {
      float sum = inside ? widen(all.at[k]) : 0.0f;
      if (adding) sum += widen(((pack *)gx)[i].at[k]);
      all.at[k] = narrow(sum);
    }
    ((pack *)gx)[i] = all;
  }
}

// Some channels of one map to some channels of another, where mask > 0 if there is one.
// Channels that fill up are set to zero where a whole map is written.
extern "C" __global__ void carry(const feature *x, const feature *mask, feature *y,
                                 wide positions, int x_channels, int x_first,
                                 int y_channels, int y_first, int channels, int filling,
                                 int adding) {
  EACH(i, positions * (channels + filling)) {
    wide position = i / (channels + filling);
    int c = (int)(i % (channels + filling));
    wide to = position * y_channels + y_first + c;
    float value = 0.0f;
    if (c < channels && !(mask && !(widen(mask[to]) > 0)))
      value = widen(x[position * x_channels + x_first + c]);
    y[to] = narrow(adding ? value + widen(y[to]) : value);
  }
}
