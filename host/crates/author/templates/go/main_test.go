package main

import (
	"errors"
	"testing"

	"wardian.dev/plugin"
)

func TestGreetsByName(t *testing.T) {
	greeting, err := greet(Greet{Name: "Ada", Excited: true})
	if err != nil || greeting.Text != "Hello, Ada!" {
		t.Errorf("got %q, %v", greeting.Text, err)
	}
}

func TestAnEmptyNameIsInvalid(t *testing.T) {
	_, err := greet(Greet{})
	var failure *plugin.Error
	if !errors.As(err, &failure) || failure.Reason != plugin.ReasonInvalidInput {
		t.Errorf("got %v", err)
	}
}
