// The plugin {{name}}: its tools, and what they do.
package main

import "wardian.dev/plugin"

// Greet is what the tool is given.
type Greet struct {
	Name    string `json:"name" doc:"Whom to greet."`
	Excited bool   `json:"excited,omitempty" doc:"Whether to end with an exclamation mark."`
}

// Greeting is what it answers.
type Greeting struct {
	Text string `json:"text"`
}

func greet(in Greet) (Greeting, error) {
	if in.Name == "" {
		return Greeting{}, plugin.InvalidInput("the name is empty: say whom to greet")
	}
	end := "."
	if in.Excited {
		end = "!"
	}
	return Greeting{Text: "Hello, " + in.Name + end}, nil
}

func init() {
	plugin.Tool("greet", "Greets a person by name.", greet, plugin.Pure)
}

func main() {}
