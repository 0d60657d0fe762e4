using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Lora;
using MLNetExtension.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Lora;

[TestClass]
public sealed class LoraAdaptersTests
{
    // Seen to fail with a scale that merging leaves out, and with rows that begin at 0 for every part.
    [TestMethod]
    [DataRow("GPT-2", "*")]
    [DataRow("GPT-2", "c_attn")]
    [DataRow("Llama", "*")]
    [DataRow("Llama", "q_proj,v_proj")]
    [DataRow("Llama", "v_proj,up_proj,down_proj")]
    [DataRow("Mixtral", "*")]
    [DataRow("GPT-2 with DoRA, whole modules", "all-linear")]
    [DataRow("GPT-2 with PiSSA", "*")]
    [DataRow("Llama with DoRA", "*")]
    [DataRow("Llama with DoRA, PiSSA, whole modules", "q_proj,v_proj,up_proj")]
    [DataRow("Mixtral with DoRA", "*")]
    [DataRow("Llama with int8", "q_proj,v_proj")]
    [DataRow("Llama with int8, DoRA, whole modules", "*")]
    [DataRow("GPT-2 with int8, PiSSA", "*")]
    [DataRow("Mixtral with bf16", "*")]
    public void After_training_only_adapters_have_changed_and_a_merged_model_computes_the_same(string kind, string targets)
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = Adapted.Model(kind, ScalarType.Float32);
        Tensor ids = Ragged.Pad(Ragged.Examples(4)).Ids;
        HuggingFaceAdapters.StoreBase(model, Adapted.Options(kind), keepsValues: true);
        Tensor before = Logits(model, ids);
        LoraAdapters adapters = HuggingFaceAdapters.Attach(model, Adapted.Options(kind) with { Rank = 3, Alpha = 7, Dropout = 0.1, TargetModules = targets.Split(',') }, seed: 1);
        Assert.AreEqual(0, (Logits(model, ids) - before).abs().max().ToDouble(), "new adapters add nothing");
        Dictionary<string, byte[]> frozen = Adapted.Frozen(model), trained = Adapted.Trained(model);

        Train(model);

        Adapted.AssertEqual(frozen, Adapted.Frozen(model));
        foreach ((string name, byte[] bytes) in Adapted.Trained(model))
            CollectionAssert.AreNotEqual(trained[name], bytes, name);
        Tensor adapted = Logits(model, ids);
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(adapted, before));
        adapters.Merge();
        Assert.IsLessThan(1e-6, Ragged.RelativeError(Logits(model, ids), adapted));
        Assert.HasCount(frozen.Count + adapters.TrainedModules.SelectMany(module => module.Tensors).DistinctBy(tensor => tensor.Parameter).Count(), model.parameters());
        Assert.IsTrue(model.parameters().All(parameter => parameter.requires_grad), "what was trained before is again");
        Assert.IsTrue(model.parameters().All(parameter => parameter.dtype == ScalarType.Float32) && !model.buffers().Any(), "in the type that the model computes in");
    }

    // Hugging Face's q_proj is the first rows of the matrix that is all of queries, keys and values here. Seen to fail with Alpha / Rank in both cases.
    [TestMethod]
    [DataRow(false, 2.0)]
    [DataRow(true, 4.0)]
    public void An_adapter_adds_its_scaled_product_to_its_own_rows_alone(bool rankStabilized, double scale)
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = Adapted.Model("Llama");
        Parameter weight = model.named_parameters().Single(pair => pair.name == "layers.0.attention.qkv.weight").parameter;
        Tensor before = weight.detach().clone();
        LoraAdapters adapters = Adapted.Attach(model, new LoraOptions { Rank = 4, Alpha = 8, RankStabilized = rankStabilized, TargetModules = ["layers.0.self_attn.k_proj"] });
        Dictionary<string, Parameter> matrices = model.named_parameters().Where(pair => pair.parameter.requires_grad).ToDictionary(pair => pair.name[^6..], pair => pair.parameter);
        Tensor expected = matrices["lora_B"].detach().matmul(matrices["lora_A"].detach()) * scale;

        adapters.Merge();

        Tensor difference = weight.detach() - before;
        const int queries = 4 * 6, keys = 2 * 6;
        Assert.IsLessThan(1e-14, Ragged.RelativeError(difference.narrow(0, queries, keys), expected));
        Assert.AreEqual(0, difference.narrow(0, 0, queries).abs().max().ToDouble());
        Assert.AreEqual(0, difference.narrow(0, queries + keys, keys).abs().max().ToDouble());
    }

    // Seen to fail with masters of frozen weights that are freed: the base came back rounded to bfloat16.
    [TestMethod]
    [DataRow("Llama")]
    [DataRow("Llama with DoRA, PiSSA, whole modules")]
    public void Training_in_bfloat16_gives_the_frozen_weights_back_unrounded(string kind)
    {
        using CausalLanguageModel model = Adapted.Model(kind, ScalarType.Float32);
        HuggingFaceAdapters.Attach(model, Adapted.Options(kind), seed: 1);
        Dictionary<string, byte[]> frozen = Adapted.Frozen(model), trained = Adapted.Trained(model);

        Train(model, ComputePrecision.BFloat16);

        Adapted.AssertEqual(frozen, Adapted.Frozen(model));
        Assert.IsFalse(trained.All(pair => pair.Value.SequenceEqual(Adapted.Trained(model)[pair.Key])));
    }

    [TestMethod]
    [DataRow("GPT-2", ComputePrecision.Float32, 1)]
    [DataRow("GPT-2", ComputePrecision.BFloat16, 2)]
    [DataRow("GPT-2 with DoRA", ComputePrecision.BFloat16, 2)]
    [DataRow("GPT-2 with DoRA, PiSSA", ComputePrecision.BFloat16, 1)]
    public void A_base_in_bfloat16_stays_so_and_its_adapters_are_float32(string kind, ComputePrecision precision, int workers)
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = Adapted.Model(kind, ScalarType.BFloat16);
        LoraAdapters adapters = HuggingFaceAdapters.Attach(model, Adapted.Options(kind) with { Rank = 2, Alpha = 4 }, seed: 1);
        Dictionary<string, byte[]> frozen = Adapted.Frozen(model);

        double[] losses = Train(model, precision, workers, steps: 30);

        Assert.IsLessThan(0.9 * losses[0], losses[^1]);
        Adapted.AssertEqual(frozen, Adapted.Frozen(model));
        Assert.IsTrue(model.parameters().All(parameter => parameter.dtype == (parameter.requires_grad ? ScalarType.Float32 : ScalarType.BFloat16)));
        Tensor ids = Ragged.Pad(Ragged.Examples(4)).Ids, adapted = Logits(model, ids);
        adapters.Merge();
        Assert.AreEqual(ScalarType.BFloat16, adapted.dtype);
        Assert.IsLessThan(0.02, Ragged.RelativeError(Logits(model, ids).to(float64), adapted.to(float64)), "to rounding of the weights");
    }

    [TestMethod]
    public void Removed_adapters_leave_the_model_as_it_was()
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = Adapted.Model("Mixtral");
        Tensor ids = Ragged.Pad(Ragged.Examples(4)).Ids, before = Logits(model, ids);
        Dictionary<string, byte[]> weights = Adapted.Trained(model);
        LoraAdapters adapters = Adapted.Attach(model, new LoraOptions());
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(Logits(model, ids), before));

        adapters.Remove();

        Adapted.AssertEqual(weights, Adapted.Trained(model));
        Assert.AreEqual(0, (Logits(model, ids) - before).abs().max().ToDouble());
        Assert.ThrowsExactly<InvalidOperationException>(adapters.Merge);
    }

    [TestMethod]
    public void Patterns_pick_layers_by_the_names_of_Hugging_Face()
    {
        AssertPicked("GPT-2", ["c_proj"], ["transformer.h.0.attn.c_proj", "transformer.h.0.mlp.c_proj", "transformer.h.1.attn.c_proj", "transformer.h.1.mlp.c_proj"]);
        AssertPicked("GPT-2", ["attn.c_proj"], ["transformer.h.0.attn.c_proj", "transformer.h.1.attn.c_proj"]);
        AssertPicked("GPT-2", ["h.1.*"], ["transformer.h.1.attn.c_attn", "transformer.h.1.attn.c_proj", "transformer.h.1.mlp.c_fc", "transformer.h.1.mlp.c_proj"]);
        AssertPicked("Llama", ["model.layers.2.self_attn.q_proj", "layers.0.*.gate_proj"], ["model.layers.0.mlp.gate_proj", "model.layers.2.self_attn.q_proj"]);
        AssertPicked("Mixtral", ["layers.1.*.gate", "1.w2"], ["model.layers.0.block_sparse_moe.experts.1.w2", "model.layers.1.block_sparse_moe.gate",
            "model.layers.1.block_sparse_moe.experts.1.w2", "model.layers.2.block_sparse_moe.experts.1.w2"]);
    }

    [TestMethod]
    public void Bad_options_are_refused_by_name()
    {
        using CausalLanguageModel model = Adapted.Model("Llama");
        AssertRefused<ArgumentOutOfRangeException>(new() { Rank = 0 }, "Rank is 0; allowed is at least 1.");
        AssertRefused<ArgumentOutOfRangeException>(new() { Alpha = double.NaN }, "Alpha is NaN; allowed is from 1.18E-38 to 1E+30.");
        AssertRefused<ArgumentOutOfRangeException>(new() { Dropout = 1 }, "Dropout is 1; allowed is from 0 to below 1.");
        AssertRefused<ArgumentOutOfRangeException>(new() { TargetModules = [] }, "TargetModules is []; allowed is one name or more");
        AssertRefused<ArgumentException>(new() { TargetModules = ["q_proj", "proj"] }, "TargetModules: 'proj' names no linear layer of the model. "
            + "There are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, as in model.layers.0.self_attn.q_proj.");
        AssertRefused<ArgumentOutOfRangeException>(new() { Initialization = (LoraInitialization)9 }, "Initialization is 9; allowed is Kaiming, Gaussian, Orthogonal, Pissa.");
        AssertRefused<ArgumentOutOfRangeException>(new() { Initialization = LoraInitialization.Orthogonal, Rank = 3 }, "Rank is 3; allowed is an even number with Initialization Orthogonal.");
        AssertRefused<ArgumentException>(new() { Initialization = LoraInitialization.Pissa, Rank = 13 }, "Rank is 13, but the weight of 'model.layers.0.self_attn.q_proj' has only 12 singular values to start from with Initialization Pissa.");
        AssertRefused<ArgumentOutOfRangeException>(new() { TrainedModules = ["norm", ""] }, "TrainedModules[1] is ''; allowed is a name that is not empty.");
        AssertRefused<ArgumentException>(new() { TrainedModules = ["wte"] }, "TrainedModules: 'wte' names no module of the model that can be trained whole. There are for instance model.embed_tokens, ");
        AssertRefused<ArgumentException>(new() { TrainedModules = ["1.self_attn.q_proj"] }, "TrainedModules: '1.self_attn.q_proj' names no module");
        AssertRefused<ArgumentException>(new() { TrainedModules = ["2.mlp.down_proj"] }, "TrainedModules: 'model.layers.2.mlp.down_proj' has an adapter by TargetModules too: leave it out of one of them.");
        Assert.IsTrue(model.parameters().All(parameter => parameter.requires_grad), "a refusal changes nothing");
        Assert.IsFalse(model.modules().Any(module => module is LowRankAdapter));

        HuggingFaceAdapters.Attach(model, new LoraOptions(), 1);
        AssertRefused<InvalidOperationException>(new(), "The model has adapters already");

        void AssertRefused<TException>(LoraOptions options, string message)
            where TException : Exception
        {
            TException error = Assert.ThrowsExactly<TException>(() => HuggingFaceAdapters.Attach(model, options, 1));
            StringAssert.StartsWith(error.Message, message);
        }
    }

    [TestMethod]
    public void Adapters_outlive_scopes_and_go_with_their_model()
    {
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using (CausalLanguageModel model = Adapted.Model("Llama"))
        {
            using (NewDisposeScope())
                HuggingFaceAdapters.Attach(model, new LoraOptions(), 1);
            using var scope = NewDisposeScope();
            Logits(model, zeros(1, 3, dtype: int64));
        }
        Assert.AreEqual(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    // Whole epochs are batches, so that losses of steps can be compared.
    private static double[] Train(CausalLanguageModel model, ComputePrecision precision = ComputePrecision.Float32, int workers = 1, int steps = 4)
    {
        TrainingOptions options = new()
        {
            MaximumSteps = steps,
            BatchSize = 12,
            Schedule = new() { WarmupSteps = 0 },
            LearningRate = 0.02,
            Batching = new() { MaximumTokensPerMicroBatch = 40, Workers = workers, Precision = precision },
        };
        List<double> losses = [];
        TrainingLoop.Run(model, Ragged.Examples(12), options, seed: 1, step => losses.Add(step.Loss));
        return [.. losses];
    }

    private static void AssertPicked(string kind, string[] patterns, string[] names)
    {
        using CausalLanguageModel model = Adapted.Model(kind);
        CollectionAssert.AreEqual(names, HuggingFaceAdapters.Attach(model, new LoraOptions { TargetModules = patterns }, 1).ModuleNames.ToArray());
    }

    private static Tensor Logits(CausalLanguageModel model, Tensor ids)
    {
        using var _ = no_grad();
        model.eval();
        return model.call(ids);
    }
}
