// What the Gram matrix is off by, times what the gradient wants, and the sum of its
// squares.
extern "C" __global__ void compare(const float *gram, const float *target,
                                   feature *error, float *partial, wide count,
                                   float mean, float slope) {
  float total = 0.0f;
  EACH(i, count) {
    float off = gram[i] * mean - target[i];
    total += off * off;
    error[i] = narrow(slope * off);
  }
  add_up(total, partial);
}

// Completes the gradient at a tap: adds that of the content loss, whose squares it
// adds up, and lets only through what the ReLU let through.
extern "C" __global__ void complete(const feature *x, const feature *content,
                                    feature *gx, float *partial, wide count,
                                    float slope, int masked) {
  float total = 0.0f;
  EACH(turn, count / MANY) {
    wide i = from_end(turn, count / MANY);
    pack seen = ((const pack *)x)[i], slopes = ((pack *)gx)[i], wanted;
    if (content) wanted = ((const pack *)content)[i];
    for (int k = 0; k < MANY; ++k) {
      float own = widen(seen.at[k]), sum = widen(slopes.at[k]);
      if (content) {
        float off = own - widen(wanted.at[k]);
        total += off * off;
        sum += slope * off;
      }
      slopes.at[k] = narrow(masked && !(own > 0) ? 0.0f : sum);
    }
    ((pack *)gx)[i] = slopes;
  }
  if (content) add_up(total, partial);
}

// One block for each term: its value goes to the row of this iteration.
extern "C" __global__ void tell(const float *partial, const float *weights,
                                float *losses, const int *counter, int blocks) {
  float sum = 0.0f;
  for (int i = threadIdx.x; i < blocks; i += THREADS)
    sum += partial[blockIdx.x * (wide)blocks + i];
  sum = sum_of_block(sum);
  if (threadIdx.x == 0)
    losses[counter[0] * (wide)gridDim.x + blockIdx.x] = weights[blockIdx.x] * sum;
}
