namespace TorchSharp.Utils;

/// <summary>Names a component in the state dictionary where its field's name will not do.</summary>
public class ComponentNameAttribute : Attribute
{
    public string Name { get; set; } = "";
}
