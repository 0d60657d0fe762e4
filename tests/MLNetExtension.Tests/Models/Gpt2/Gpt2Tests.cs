using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Gpt2;

[TestClass]
public sealed class Gpt2Tests
{
    [TestMethod]
    public void Logits_have_a_row_a_position_and_a_token()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model();
        CollectionAssert.AreEqual(new long[] { 2, 5, Ragged.Vocabulary }, model.call(zeros(2, 5, dtype: int64)).shape);
    }

    [TestMethod]
    public void No_position_sees_what_comes_after_it()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model();
        Tensor ids = arange(0, 10, dtype: int64).view(1, 10);
        Tensor changed = ids.clone();
        changed[0, 6] = tensor(20L);

        Tensor difference = (model.call(ids) - model.call(changed)).abs().amax([0, 2]);
        Assert.AreEqual(0, difference.narrow(0, 0, 6).max().ToDouble());
        Assert.IsGreaterThan(1e-6, difference.narrow(0, 6, 4).min().ToDouble());
    }

    [TestMethod]
    public void Padding_does_not_change_what_real_positions_compute()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model();
        Tensor ids = arange(1, 8, dtype: int64).view(1, 7);
        Tensor padded = cat([ids, zeros(1, 9, dtype: int64)], 1);
        Assert.IsLessThan(1e-14, Ragged.RelativeError(model.call(padded).narrow(1, 0, 7), model.call(ids)));
    }

    // The whole forward pass written out from the paper's equations, with a mask and a softmax in the open.
    [TestMethod]
    public void The_model_computes_what_the_papers_equations_say()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using Gpt2Model model = Ragged.Model();
        Dictionary<string, Parameter> w = model.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        int length = 9, width = model.Configuration.Width, heads = model.Configuration.Heads, size = width / heads;
        Tensor ids = arange(0, length, dtype: int64);

        Tensor x = w["wte"].index_select(0, ids) + w["wpe"].narrow(0, 0, length);
        for (int layer = 0; layer < model.Configuration.Layers; layer++)
        {
            string block = $"h.{layer}.";
            Tensor qkv = Linear(Norm(x, block + "ln_1"), block + "c_attn");
            List<Tensor> mixed = [];
            for (int head = 0; head < heads; head++)
            {
                Tensor q = qkv.narrow(1, head * size, size), k = qkv.narrow(1, width + head * size, size), v = qkv.narrow(1, 2 * width + head * size, size);
                Tensor scores = q.matmul(k.t()) / Math.Sqrt(size) + full([length, length], double.NegativeInfinity, dtype: float64).triu(1);
                Tensor weights = scores.exp() / scores.exp().sum(1, keepdim: true);
                mixed.Add(weights.matmul(v));
            }
            x = x + Linear(cat(mixed, 1), block + "c_proj");
            Tensor inner = Linear(Norm(x, block + "ln_2"), block + "mlp.c_fc");
            x = x + Linear(inner * 0.5 * (1 + (inner / Math.Sqrt(2)).erf()), block + "mlp.c_proj");
        }
        Tensor expected = Norm(x, "ln_f").matmul(w["wte"].t());

        Assert.IsLessThan(1e-13, Ragged.RelativeError(model.call(ids.unsqueeze(0))[0], expected));

        Tensor Linear(Tensor input, string name) => input.matmul(w[name + ".weight"].t()) + w[name + ".bias"];
        Tensor Norm(Tensor input, string name)
        {
            Tensor centred = input - input.mean([1], keepdim: true);
            return centred / (centred.square().mean([1], keepdim: true) + 1e-5).sqrt() * w[name + ".weight"] + w[name + ".bias"];
        }
    }

    [TestMethod]
    public void Weights_start_as_GPT2s_do()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = new(new Gpt2Configuration(300, 64, Layers: 2, Heads: 2, Width: 64), seed: 3);
        Dictionary<string, Parameter> w = model.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        Assert.AreEqual(0.02, w["wte"].std().ToDouble(), 1e-3);
        Assert.AreEqual(0.02, w["h.1.c_attn.weight"].std().ToDouble(), 1e-3);
        Assert.AreEqual(0.01, w["h.1.c_proj.weight"].std().ToDouble(), 1e-3);
        Assert.AreEqual(0.01, w["h.1.mlp.c_proj.weight"].std().ToDouble(), 1e-3);
        Assert.AreEqual(0, w["h.1.mlp.c_fc.bias"].abs().max().ToDouble());
        Assert.AreEqual(1, w["ln_f.weight"].min().ToDouble());
    }

    [TestMethod]
    [DoNotParallelize]  // the state is the process's: a test beside this one may draw from it
    public void The_seed_decides_the_weights_and_the_callers_random_state_is_left_alone()
    {
        using var scope = NewDisposeScope();
        byte[] before = random.get_rng_state().bytes.ToArray();
        using Gpt2Model one = Ragged.Model(seed: 1), same = Ragged.Model(seed: 1), other = Ragged.Model(seed: 2);
        Assert.IsTrue(one.HeadWeight.equal(same.HeadWeight).all().item<bool>());
        Assert.IsFalse(one.HeadWeight.equal(other.HeadWeight).all().item<bool>());
        CollectionAssert.AreEqual(before, random.get_rng_state().bytes.ToArray());
    }

    [TestMethod]
    public void Dropout_zeroes_its_share_in_training_only_and_repeats_with_its_seed()
    {
        using var scope = NewDisposeScope();
        using SeededDropout dropout = new(0.25);
        Tensor input = ones(100, 100);

        dropout.train();
        dropout.Reseed(5);
        Tensor first = dropout.call(input);
        dropout.Reseed(5);
        Assert.IsTrue(first.equal(dropout.call(input)).all().item<bool>());
        Assert.IsFalse(first.equal(dropout.call(input)).all().item<bool>());
        // 10,000 draws, standard deviation of the share 0.0043: five of them either way. What is kept is scaled up to keep the mean.
        Assert.AreEqual(0.25, first.eq(0).to(float32).mean().ToDouble(), 0.022);
        Assert.AreEqual(1 / 0.75, first.max().ToDouble(), 1e-6);

        dropout.eval();
        Assert.IsTrue(input.equal(dropout.call(input)).all().item<bool>());
    }
}
