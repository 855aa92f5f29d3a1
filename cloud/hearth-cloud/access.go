package main

import (
	"context"
	"flag"
	"fmt"

	"hearth"
	"hearth/cloud"
	"hearth/cloud/accounts"
)

func addHome(c *call) error {
	var home accounts.Home
	var code accounts.Code
	err := c.withAccounts(func(ctx context.Context, _ cloud.Config, books *accounts.Accounts) (err error) {
		if home, code, err = books.AddHome(ctx, "", c.args[0]); err != nil {
			return err
		}
		return books.Audit(ctx, accounts.AuditEntry{Who: accounts.Root().Name, Action: "addHome", Home: home.ID, Detail: home.Name})
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "home %s\ncode %s\n", home.ID, code.Secret)
	return err
}

func tokenFlags(flags *flag.FlagSet, c *call) {
	flags.StringVar(&c.name, "name", "", "")
	flags.StringVar(&c.scope, "scope", "", "")
	flags.StringVar(&c.home, "home", "", "")
}

func addToken(c *call) error {
	if c.name == "" || c.scope == "" {
		return usageError{"token add wants -name and -scope"}
	}
	secret := ""
	err := c.withAccounts(func(ctx context.Context, _ cloud.Config, books *accounts.Accounts) (err error) {
		if secret, err = books.AddToken(ctx, hearth.Token{Name: c.name, Scope: hearth.Scope(c.scope), Home: c.home}); err != nil {
			return err
		}
		return books.Audit(ctx, accounts.AuditEntry{Who: accounts.Root().Name, Action: "addToken", Home: c.home, About: c.name, Detail: c.scope})
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, secret)
	return err
}

func userFlags(flags *flag.FlagSet, c *call) {
	flags.StringVar(&c.role, "role", "", "")
	flags.StringVar(&c.home, "home", "", "")
}

func addUser(c *call) error {
	if c.role == "" {
		return usageError{"user add wants -role admin, operator or viewer"}
	}
	link := ""
	err := c.withAccounts(func(ctx context.Context, config cloud.Config, books *accounts.Accounts) error {
		secret, err := books.Invite(ctx, c.args[0], accounts.ScopeOf(c.role), "", c.home)
		link = config.URL() + accounts.LinkPath + secret
		return err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, link)
	return err
}
