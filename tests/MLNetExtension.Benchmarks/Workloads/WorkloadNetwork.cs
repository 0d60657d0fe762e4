using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Llama;
using MLNetExtension.Models.Lora;
using MLNetExtension.Safetensors;

namespace MLNetExtension.Benchmarks.Workloads;

/// <summary>The network of a workload: its sizes, and its starting weights as files.</summary>
internal abstract record WorkloadNetwork
{
    /// <summary>V, the number of token ids.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>Most positions of a row.</summary>
    public abstract int ContextLength { get; }

    /// <summary>Creates the network with its starting weights.</summary>
    public abstract CausalLanguageModel Create();

    /// <summary>Writes the starting weights.</summary>
    /// <param name="folder">An existing folder.</param>
    public abstract void Write(string folder);

    /// <summary>Makes the network of what <see cref="Write"/> has written.</summary>
    /// <param name="folder">The folder.</param>
    public abstract CausalLanguageModel Load(string folder);

    /// <summary>A GPT-2, all of whose weights are trained; its weights lie in one file under this library's names.</summary>
    internal sealed record Gpt2(Gpt2Configuration Configuration) : WorkloadNetwork
    {
        public override int VocabularySize => Configuration.VocabularySize;

        public override int ContextLength => Configuration.ContextLength;

        public override Gpt2Model Create() => new(Configuration, seed: 1);

        public override void Write(string folder)
        {
            using Gpt2Model model = Create();
            using FileStream weights = File.Create(WeightsOf(folder));
            ModuleWeights.Save(model, weights);
        }

        public override Gpt2Model Load(string folder)
        {
            Gpt2Model model = Gpt2Model.CreateUninitialized(Configuration);
            using FileStream weights = File.OpenRead(WeightsOf(folder));
            ModuleWeights.Load(model, weights, weights.Length);
            return model;
        }

        private static string WeightsOf(string folder) => Path.Combine(folder, "weights.safetensors");
    }

    /// <summary>A frozen Llama with low-rank adapters, which are trained; the weights of both lie in folders under Hugging Face's and PEFT's names.</summary>
    internal sealed record LlamaWithAdapters(LlamaConfiguration Configuration, LoraOptions Adapters) : WorkloadNetwork
    {
        public override int VocabularySize => Configuration.VocabularySize;

        public override int ContextLength => Configuration.ContextLength;

        /// <summary>The folder of the frozen weights.</summary>
        public static string BaseOf(string folder) => Path.Combine(folder, "base");

        /// <summary>The folder of the adapters.</summary>
        public static string AdaptersOf(string folder) => Path.Combine(folder, "adapters");

        public override LlamaModel Create()
        {
            LlamaModel model = new(Configuration, seed: 1);
            HuggingFaceAdapters.Attach(model, Adapters, seed: 1);
            return model;
        }

        public override void Write(string folder)
        {
            using HuggingFaceModel published = new(new LlamaModel(Configuration, seed: 1), endOfTextId: 0);
            published.Save(BaseOf(folder));
            HuggingFaceAdapters.Save(HuggingFaceAdapters.Attach(published.Model, Adapters, seed: 1), AdaptersOf(folder));
        }

        public override CausalLanguageModel Load(string folder)
        {
            CausalLanguageModel model = HuggingFaceModel.Load(BaseOf(folder)).Model;
            HuggingFaceAdapters.Load(model, AdaptersOf(folder));
            return model;
        }
    }
}
