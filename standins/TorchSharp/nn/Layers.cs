using static TorchSharp.torch;

namespace TorchSharp.Modules
{
    /// <summary>A tensor that a module trains; it takes over the tensor it is made of.</summary>
    public class Parameter : Tensor
    {
        public Parameter(Tensor data, bool requires_grad = true) : base(data.with_requires_grad(requires_grad).MoveHandle(), false) =>
            DisposeScope.ReplaceWith(data, this);

        internal Parameter(nint handle) : base(handle) { }
    }

    public interface IParameterLessModule;

    public abstract class ParameterLessModule<T1, TResult> : nn.Module<T1, TResult>, IParameterLessModule
    {
        protected ParameterLessModule(string name) : base(name) { }

        protected internal override nn.Module _to(Device device, ScalarType dtype, bool non_blocking) => this;
        protected internal override nn.Module _to(DeviceType deviceType, int deviceIndex, bool non_blocking) => this;
        protected internal override nn.Module _to(ScalarType dtype, bool non_blocking) => this;

        public override void register_buffer(string name, Tensor tensor, bool persistent = true) =>
            throw new InvalidOperationException("Cannot register a buffer on a module that is declared 'parameter-less.'");

        public override void register_parameter(string name, Parameter param) =>
            throw new InvalidOperationException("Cannot register a parameter on a module that is declared 'parameter-less.'");

        public override void register_module(string name, nn.Module submodule)
        {
            if (submodule is not IParameterLessModule)
                throw new InvalidOperationException("Submodules of a parameter-less module must also be parameter-less.");
            base.register_module(name, submodule);
        }
    }

    public sealed class Linear : nn.Module<Tensor, Tensor>
    {
        [Utils.ComponentName(Name = nameof(bias))] private Parameter? _bias;
        [Utils.ComponentName(Name = nameof(weight))] private Parameter? _weight;

        internal Linear(Parameter weight, Parameter? bias) : base(nameof(Linear))
        {
            (in_features, out_features) = (weight.shape[1], weight.shape[0]);
            this.weight = weight;
            if (bias is not null) this.bias = bias;
        }

        internal Linear(long inputSize, long outputSize, bool hasBias, Device? device, ScalarType? dtype) : base(nameof(Linear))
        {
            (in_features, out_features) = (inputSize, outputSize);
            weight = empty(outputSize, inputSize, device: device, dtype: dtype).AsParameter();
            nn.init.kaiming_uniform_(_weight!, a: Math.Sqrt(5));
            if (!hasBias) return;
            bias = empty(outputSize, device: device, dtype: dtype).AsParameter();
            double bound = inputSize > 0 ? 1 / Math.Sqrt(inputSize) : 0;
            nn.init.uniform_(_bias!, -bound, bound);
        }

        public long in_features { get; set; }
        public long out_features { get; set; }

        public Parameter? bias
        {
            get => _bias;
            set
            {
                _bias?.Dispose();
                _bias = value?.DetachFromDisposeScope() as Parameter;
                ConditionallyRegisterParameter(nameof(bias), _bias);
            }
        }

        public Parameter weight
        {
            get => _weight!;
            set
            {
                ArgumentNullException.ThrowIfNull(value, nameof(weight));
                if (value.Handle == _weight?.Handle) return;
                _weight?.Dispose();
                _weight = (Parameter)value.DetachFromDisposeScope();
                ConditionallyRegisterParameter(nameof(weight), _weight);
            }
        }

        public override Tensor forward(Tensor tensor) => nn.functional.linear(tensor, _weight!, _bias);

        protected override void Dispose(bool disposing)
        {
            if (!disposing) return;
            _weight?.Dispose();
            _bias?.Dispose();
        }
    }

    public sealed class Embedding : nn.Module<Tensor, Tensor>
    {
        private readonly long? padding_idx;
        private readonly bool scale_grad_by_freq;
        private readonly bool sparse;

        internal Embedding(Tensor weight, bool requires_grad, long? padding_idx, bool scale_grad_by_freq, bool sparse) : base(nameof(Embedding))
        {
            (this.padding_idx, this.scale_grad_by_freq, this.sparse) = (padding_idx, scale_grad_by_freq, sparse);
            ConditionallyRegisterParameter(nameof(weight), new Parameter(weight, requires_grad));
        }

        private Parameter Weight => parameters(false).Single();

        // As in the genuine package, every read gives a new reference to the same tensor, which its reader disposes of.
        public Parameter? weight
        {
            get => new(Native.ts_alias(Weight.Handle));
            set => ConditionallyRegisterParameter(nameof(weight), value ?? throw new ArgumentNullException("weight cannot be set to 'null'"));
        }

        public override Tensor forward(Tensor input) => Op.Call("embedding", Weight, input, padding_idx ?? -1L, scale_grad_by_freq, sparse);
    }

    public sealed class LayerNorm : nn.Module<Tensor, Tensor>
    {
        [Utils.ComponentName(Name = nameof(bias))] private Parameter? _bias;
        [Utils.ComponentName(Name = nameof(weight))] private Parameter? _weight;

        internal LayerNorm(long[] normalized_shape, double eps, bool elementwise_affine, bool bias, Device? device, ScalarType? dtype) : base(nameof(LayerNorm))
        {
            (this.normalized_shape, this.eps, this.elementwise_affine) = (normalized_shape, eps, elementwise_affine);
            if (!elementwise_affine) return;
            weight = new Parameter(empty(normalized_shape, dtype, device));
            if (bias) this.bias = new Parameter(empty(normalized_shape, dtype, device));
            reset_parameters();
        }

        public long[] normalized_shape { get; set; }
        public double eps { get; set; }
        public bool elementwise_affine { get; set; }

        public Parameter? bias
        {
            get => _bias;
            set
            {
                _bias?.Dispose();
                _bias = value?.DetachFromDisposeScope() as Parameter;
                ConditionallyRegisterParameter(nameof(bias), _bias);
            }
        }

        public Parameter weight
        {
            get => _weight!;
            set
            {
                ArgumentNullException.ThrowIfNull(value, nameof(weight));
                if (value.Handle == _weight?.Handle) return;
                _weight?.Dispose();
                _weight = (Parameter)value.DetachFromDisposeScope();
                ConditionallyRegisterParameter(nameof(weight), _weight);
            }
        }

        public void reset_parameters()
        {
            if (elementwise_affine) nn.init.ones_(_weight!);
            if (_bias is not null) nn.init.zeros_(_bias);
        }

        public override Tensor forward(Tensor tensor) => nn.functional.layer_norm(tensor, normalized_shape, _weight, _bias, eps);
    }

    public sealed class Dropout : ParameterLessModule<Tensor, Tensor>
    {
        internal Dropout(double p, bool inplace) : base(nameof(Dropout)) => (this.p, this.inplace) = (p, inplace);
        public double p { get; set; }
        public bool inplace { get; set; }
        public override Tensor forward(Tensor tensor) => nn.functional.dropout(tensor, p, training, inplace);
    }

    public sealed class GELU : ParameterLessModule<Tensor, Tensor>
    {
        internal GELU(bool inplace) : base(nameof(GELU)) => this.inplace = inplace;
        public bool inplace { get; set; }
        public override Tensor forward(Tensor tensor) => nn.functional.gelu(tensor, inplace);
    }

    public sealed class SiLU : ParameterLessModule<Tensor, Tensor>
    {
        internal SiLU(bool inplace) : base(nameof(SiLU)) => this.inplace = inplace;
        public bool inplace { get; set; }
        public override Tensor forward(Tensor tensor) => nn.functional.silu(tensor, inplace);
    }

    public sealed class ReLU : ParameterLessModule<Tensor, Tensor>
    {
        internal ReLU(bool inplace) : base(nameof(ReLU)) => this.inplace = inplace;
        public bool inplace { get; set; }
        public override Tensor forward(Tensor tensor) => nn.functional.relu(tensor, inplace);
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class nn
        {
            public static Modules.Parameter Parameter(Tensor data, bool requires_grad = true) => new(data, requires_grad);

            public static Modules.Linear Linear(long inputSize, long outputSize, bool hasBias = true, Device? device = null, ScalarType? dtype = null) =>
                new(inputSize, outputSize, hasBias, device, dtype);

            public static Modules.Linear Linear(Modules.Parameter weight, Modules.Parameter? bias = null) => new(weight, bias);

            public static Modules.Embedding Embedding(long num_embeddings, long embedding_dims, long? padding_idx = null, double? max_norm = null, double norm_type = 2.0, bool scale_grad_by_freq = false, bool sparse = false, Device? device = null, ScalarType? dtype = null)
            {
                if (max_norm is not null) throw new NotSupportedException("The stand-in for TorchSharp has no max_norm.");
                // Made in float32 on the CPU and then moved, as in the genuine package, so that a seed gives the same weights.
                var weight = empty(num_embeddings, embedding_dims, ScalarType.Float32, CPU).normal_();
                if (padding_idx is { } padding) using (var row = weight[padding]) row.fill_(0);
                return new Modules.Embedding(weight, true, padding_idx, scale_grad_by_freq, sparse).Moved<Modules.Embedding>(device, dtype);
            }

            public static Modules.LayerNorm LayerNorm(long[] normalized_shape, double eps = 1e-05, bool elementwise_affine = true, bool bias = true, Device? device = null, ScalarType? dtype = null) =>
                new(normalized_shape, eps, elementwise_affine, bias, device, dtype);

            public static Modules.LayerNorm LayerNorm(long normalized_shape, double eps = 1e-05, bool elementwise_affine = true, bool bias = true, Device? device = null, ScalarType? dtype = null) =>
                new([normalized_shape], eps, elementwise_affine, bias, device, dtype);

            public static Modules.Dropout Dropout(double p = 0.5, bool inplace = false) => new(p, inplace);
            public static Modules.GELU GELU() => new(false);
            public static Modules.GELU GELU(bool inplace) => new(inplace);
            public static Modules.SiLU SiLU() => new(false);
            public static Modules.SiLU SiLU(bool inplace) => new(inplace);
            public static Modules.ReLU ReLU(bool inplace = false) => new(inplace);
        }
    }
}
