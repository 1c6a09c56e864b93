// k + alpha / n times the sum of squares of the channels nearby.
__device__ inline float response(const feature *x, int c, int channels, int reach,
                                 float strength, float least) {
  float squares = 0.0f;
  for (int d = c - reach < 0 ? 0 : c - reach; d <= c + reach && d < channels; ++d) {
    float value = widen(x[d]);
    squares += value * value;
  }
  return least + strength * squares;
}

extern "C" __global__ void normalise(const feature *x, feature *y, wide positions,
                                     int channels, int count, int reach, float strength,
                                     float least, float beta) {
  EACH(i, positions * channels) {
    int c = (int)(i % channels);
    const feature *seen = x + (i - c);
    float value = c < count ? widen(x[i]) : 0.0f;
    if (value != 0)
      value *= powf(response(seen, c, count, reach, strength, least), -beta);
    y[i] = narrow(value);
  }
}

extern "C" __global__ void denormalise(const feature *gy, const feature *x, feature *gx,
                                       wide positions, int channels, int count,
                                       int reach, float strength, float least,
                                       float beta, int masked, int adding) {
  EACH(i, positions * channels) {
    int c = (int)(i % channels);
    const feature *seen = x + (i - c), *given = gy + (i - c);
    float own = c < count ? widen(x[i]) : 0.0f, sum = 0.0f;
    if (c < count && !(masked && !(own > 0))) {
      float scale = response(seen, c, count, reach, strength, least);
      sum = widen(given[c]) * powf(scale, -beta);
      float others = 0.0f;
      for (int d = c - reach < 0 ? 0 : c - reach; d <= c + reach && d < count; ++d) {
        scale = response(seen, d, count, reach, strength, least);
        others += widen(given[d]) * widen(seen[d]) * powf(scale, -beta - 1);
      }
      sum -= 2 * strength * beta * own * others;
    }
    gx[i] = narrow(adding ? sum + widen(gx[i]) : sum);
  }
}
